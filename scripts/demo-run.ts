import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DecodeModule } from '../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../apdu/errors.ts';
import { Bridge, type BridgeStatus, receiveService } from '../host/bridge/index.ts';
import { formatOfferPrice } from '../host/cli/channels/describe-offer.ts';
import { fetchChannels } from '../host/cli/channels/fetch-channels.ts';
import { JoinedChannel } from '../host/cli/watch/joined-channel.ts';
import { describeCharge } from '../host/cli/watch/watch-view.ts';
import { type SignedOffer, verifyOffer } from '../host/contract/offer/signed-offer.ts';
import { readCard } from '../host/holder/card-snapshot.ts';
import { formatMoney } from '../host/money/amount.ts';
import { currencyByNumber } from '../host/money/currency.ts';
import { openOutput } from '../host/player/open-output.ts';
import { nodeAead } from '../host/transport/crypto/node-aead.ts';
import { type DemoCard, findCard, openStore, prepareCard } from './demo-card.ts';
import { DemoHeadend } from './demo-headend.ts';
import type { DemoOptions } from './demo-options.ts';

const LOOPBACK = '127.0.0.1';
/** ms without an octet after which the rest counts as lost. */
const MAX_SILENCE = 4000;

/** @returns the exit status: 0 when what came out is what went in. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { folder, signal } = options;
  if (options.source !== undefined) await requireFile(options.source);
  const card = await findCard(options.card, folder, say);
  try {
    say(`card          ${card.name}`);
    const store = await openStore(card, folder);
    const source = options.source ?? (await makeClip(join(folder, 'clip.ts'), signal));
    const headend = await DemoHeadend.start(options, store);
    say('head-end      tollcast headend serve --config headend.json');
    try {
      const cardId = await prepareCard(card, store, headend.trust, say);
      return await watchChannel({ ...options, source }, card, headend, cardId);
    } finally {
      await headend.stop();
    }
  } finally {
    await card.close();
  }
}

/** @throws TollcastError `SOURCE` */
async function requireFile(path: string): Promise<void> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) throw new TollcastError('SOURCE', `${path} is not a file; name one that is there with --source`);
}

/** Finds the channel as a viewer does: by what the head-end offers and the card trusts. */
async function findOffer(card: DemoCard, headend: DemoHeadend): Promise<SignedOffer> {
  const [channel] = await fetchChannels(headend.url);
  if (channel === undefined) throw new TollcastError('CHANNEL', `nothing is offered: ${headend.lastLine}`);
  const channelToCard = await card.open();
  try {
    const { trusted } = await readCard(new DecodeModule(channelToCard));
    return verifyOffer(channel.octets, trusted);
  } finally {
    await channelToCard.close();
  }
}

async function watchChannel(
  options: DemoOptions & { readonly source: string },
  card: DemoCard,
  headend: DemoHeadend,
  cardId: string,
): Promise<number> {
  const { folder, signal } = options;
  const recovered = join(folder, 'recovered.ts');
  const offer = await findOffer(card, headend);
  say(`offered       ${offer.name}: ${formatOfferPrice(offer)}; the offer is signed by a key that the card trusts`);
  say('consent       yes, as this is a demo; tollcast watch asks');
  const before = await readPurse(card);
  const writesBefore = await card.persistentWrites();
  const output = await openOutput(recovered, LOOPBACK);
  const joined = Promise.withResolvers<void>();
  const bridge = new Bridge({
    open: () => card.open(),
    sink: output,
    aead: nodeAead,
    service: offer.service,
    onCard: () => channel.cardSelected(),
    onConfirm: (confirm) => channel.confirm(confirm),
    onNotice: (line) => {
      if (!signal.aborted) say(line);
    },
  });
  const channel = new JoinedChannel({ offer, bridge, warn: say, onJoined: () => joined.resolve() });
  const receiver = await receiveService({ ...offer.address, interface: LOOPBACK }, bridge);
  const stop = new AbortController();
  const over = AbortSignal.any([signal, stop.signal]);
  const progress = showProgress(bridge, before.balance, stop.signal);
  const started = performance.now();
  let failure: Error | undefined;
  const fail = (error: unknown) => {
    if (!over.aborted) failure ??= error instanceof Error ? error : new Error(String(error));
    stop.abort();
  };
  try {
    const keeping = channel.run(over).catch(fail);
    const { size } = await stat(options.source);
    const sending = joined.promise
      .then(() => headend.send(options.source, over))
      .then(() => waitForRest(bridge, size, over))
      .then(() => stop.abort(), fail);
    const end = await bridge.run(over);
    const seconds = (performance.now() - started) / 1000;
    stop.abort();
    joined.resolve();
    await Promise.all([keeping, sending, progress]);
    await output.close();
    if (signal.aborted) throw new TollcastError('STOPPED', 'stopped');
    if (failure !== undefined) throw failure;
    if (end.code !== 'STOPPED') throw new TollcastError('NOTHING_OPENED', `${end.message}: ${headend.lastLine}`);
    const left = await channel.leave(() => card.open(), undefined);
    const owed = left?.charge === undefined ? 'not left' : describeCharge(left.charge).replace(/^joined\s+/, '');
    return await report({ options, card, cardId, bridge, before, writesBefore, seconds, recovered, owed });
  } finally {
    stop.abort();
    await receiver.close();
  }
}

/** Waits until all octets of the clip were received, or nothing comes any more. */
async function waitForRest({ status }: Bridge, size: number, signal: AbortSignal): Promise<void> {
  let last = -1;
  let since = performance.now();
  while (!signal.aborted && status.received < size && performance.now() - since < MAX_SILENCE) {
    if (status.received !== last) since = performance.now();
    last = status.received;
    await sleep(50, undefined, { signal }).catch(() => undefined);
  }
}

interface Outcome {
  readonly options: DemoOptions & { readonly source: string };
  readonly card: DemoCard;
  readonly cardId: string;
  readonly bridge: Bridge;
  readonly before: PurseSnapshot;
  readonly writesBefore: number | undefined;
  readonly seconds: number;
  readonly recovered: string;
  /** How long it was joined, and what is owed, in words. */
  readonly owed: string;
}

async function report(outcome: Outcome): Promise<number> {
  const { options, card, bridge, before, writesBefore, seconds } = outcome;
  const { status } = bridge;
  const after = await readPurse(card);
  const writes = await card.persistentWrites();
  const persistentWrites = writes === undefined || writesBefore === undefined ? null : writes - writesBefore;
  const sourceSha256 = await sha256(options.source);
  const outputSha256 = await sha256(outcome.recovered);
  const same = sourceSha256 === outputSha256;
  const charged = before.balance - after.balance;

  say('');
  say(`bill          ${money(charged)} for ${status.paid.toLocaleString('en')} octets at ${options.price}`);
  say(`joined        ${outcome.owed}`);
  say(`balance       ${money(before.balance)} before, ${money(after.balance)} after`);
  say(`octets        ${status.received.toLocaleString('en')} received, ${status.missing} missing`);
  say(
    `card          ${status.commands} commands for ${status.groups} groups, ` +
      `${persistentWrites ?? 'uncounted'} persistent writes`,
  );
  say(`source        SHA-256 ${sourceSha256}`);
  say(`recovered     SHA-256 ${outputSha256}`);
  say(same ? 'The recovered stream is the source, bit by bit.' : 'The recovered stream is NOT the source.');
  if (options.json === true) {
    const line = {
      card: card.kind,
      cardId: outcome.cardId,
      octets: status.paid,
      charged: Number(charged),
      currency: currencyByNumber(after.currency).code,
      balanceBefore: Number(before.balance),
      balanceAfter: Number(after.balance),
      commands: status.commands,
      persistentWrites,
      sourceSha256,
      outputSha256,
      seconds: Math.round(seconds * 1000) / 1000,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
  return same ? 0 : 1;

  function money(amount: bigint): string {
    return formatMoney(amount, currencyByNumber(after.currency));
  }
}

interface PurseSnapshot {
  readonly balance: bigint;
  readonly currency: number;
}

async function readPurse(card: DemoCard): Promise<PurseSnapshot> {
  const channel = await card.open();
  try {
    const module = new DecodeModule(channel);
    await module.select();
    return await module.getPurse();
  } finally {
    await channel.close();
  }
}

/** Keeps one line up to date on a terminal; prints a line every two seconds elsewhere. */
async function showProgress(bridge: Bridge, balanceBefore: bigint, signal: AbortSignal): Promise<void> {
  const tty = process.stdout.isTTY;
  const started = performance.now();
  while (!signal.aborted) {
    await sleep(tty ? 200 : 2000, undefined, { signal }).catch(() => undefined);
    const line = progressLine(bridge.status, balanceBefore, (performance.now() - started) / 1000);
    if (tty)
      process.stdout.write(`\r${line.slice(0, process.stdout.columns - 1)}\u001B[K${signal.aborted ? '\n' : ''}`);
    else if (!signal.aborted) say(line);
  }
}

function twoDigits(value: number): string {
  return String(Math.floor(value)).padStart(2, '0');
}

function progressLine(status: BridgeStatus, balanceBefore: bigint, seconds: number): string {
  const { purse, received, missing, state } = status;
  const clock = `${twoDigits(seconds / 60)}:${twoDigits(seconds % 60)}`;
  if (purse === undefined) return `${clock}  ${state}`;
  const currency = currencyByNumber(purse.currency);
  const rate = ((received * 8) / seconds / 1e6).toFixed(2);
  const toll = formatMoney(balanceBefore - purse.balance, currency);
  const balance = formatMoney(purse.balance, currency);
  return `${clock}  ${state}  ${rate} Mbit/s  balance ${balance}  toll ${toll}  missing ${missing}`;
}

/** Makes ten seconds of picture and sound, which nobody has rights to. */
async function makeClip(path: string, signal: AbortSignal): Promise<string> {
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440'];
  const coding = [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-b:v',
    '1500k',
    '-g',
    '25',
    '-pix_fmt',
    'yuv420p',
    '-c:a',
    'aac',
  ];
  const args = ['-v', 'error', ...picture, '-t', '10', ...coding, '-f', 'mpegts', '-y', path];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'ignore', 'pipe'], signal });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const failed = once(child, 'error').then(() => 'ffmpeg is not installed');
  const ended = once(child, 'exit').then(([code]: unknown[]) => (code === 0 ? undefined : said.trim()));
  const problem = await Promise.race([failed, ended]);
  if (problem !== undefined) {
    throw new TollcastError(
      'NO_CLIP',
      `no clip was made (${problem}); type apt-get install ffmpeg, or name yours with --source`,
    );
  }
  say('clip          10 s of H.264 and AAC, made by ffmpeg');
  return path;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
