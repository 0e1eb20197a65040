import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DecodeModule } from '../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../apdu/errors.ts';
import { Bridge, type BridgeStatus, receiveService } from '../host/bridge/index.ts';
import { formatMoney } from '../host/money/amount.ts';
import { currencyByNumber } from '../host/money/currency.ts';
import { openOutput } from '../host/player/open-output.ts';
import { nodeAead } from '../host/transport/crypto/node-aead.ts';
import { type DemoCard, type DemoStore, findCard, openStore, prepareCard } from './demo-card.ts';

/** As the command line gives them, and where the demo may put its files. */
export interface DemoOptions {
  readonly card?: string;
  readonly source?: string;
  readonly every: number;
  readonly span: number;
  readonly mode: string;
  readonly price: string;
  /** bit/s. */
  readonly rate?: number;
  readonly json?: true;
  readonly folder: string;
  readonly signal: AbortSignal;
}

const LOOPBACK = '127.0.0.1';
const CLI = join(import.meta.dirname, '../host/cli/tollcast.ts');

/** @returns the exit status: 0 when what came out is what went in. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { folder, signal } = options;
  const card = await findCard(options.card, folder, say);
  try {
    say(`card          ${card.name}`);
    const store = await openStore(card, folder);
    const cardId = await prepareCard(card, store, say);
    const source = options.source ?? (await makeClip(join(folder, 'clip.ts'), signal));
    return await watchClip({ ...options, source }, card, store, cardId);
  } finally {
    await card.close();
  }
}

async function watchClip(
  options: DemoOptions & { readonly source: string },
  card: DemoCard,
  store: DemoStore,
  cardId: string,
): Promise<number> {
  const { folder, signal } = options;
  const recovered = join(folder, 'recovered.ts');
  const before = await readPurse(card);
  const writesBefore = await card.persistentWrites();
  // Every run has a multicast address and a port of its own, so that two demos do not hear each other.
  const address = {
    address: `239.255.${process.pid & 255}.${(process.pid >>> 8) & 255}`,
    port: 20_000 + 4 * (process.pid % 5000),
  };

  const output = await openOutput(recovered, LOOPBACK);
  const bridge = new Bridge({
    open: () => card.open(),
    sink: output,
    aead: nodeAead,
    onNotice: (line) => {
      if (!signal.aborted) say(line);
    },
  });
  const receiver = await receiveService({ ...address, keyPort: address.port + 2, interface: LOOPBACK }, bridge);
  const stop = new AbortController();
  const headend = startHeadend(options, address, store, cardId);
  const progress = showProgress(bridge, before.balance, stop.signal);
  const started = performance.now();
  try {
    const failed = headend.exit.then((code) => (code === 0 ? undefined : stop.abort()));
    const end = await bridge.run(AbortSignal.any([signal, stop.signal]));
    const seconds = (performance.now() - started) / 1000;
    stop.abort();
    if (signal.aborted) headend.stop();
    await Promise.all([failed, progress]);
    await output.close();
    if (signal.aborted) throw new TollcastError('STOPPED', 'stopped');
    if (end.code !== 'BYE') throw new TollcastError(end.code, `no end of the stream: ${headend.said() || end.message}`);
    return await report({ options, card, cardId, bridge, before, writesBefore, seconds, recovered });
  } finally {
    stop.abort();
    headend.stop();
    await receiver.close();
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

/** Starts the head-end as a process of its own, so that what it sends crosses a real socket. */
function startHeadend(
  options: DemoOptions & { readonly source: string },
  { address, port }: { readonly address: string; readonly port: number },
  store: DemoStore,
  cardId: string,
) {
  const packets = options.mode === 'strict' ? [] : ['--every', String(options.every), '--span', String(options.span)];
  const args = ['headend', 'send', '--source', options.source, '--address', `${address}:${port}`];
  if (options.rate !== undefined) packets.push('--rate', String(options.rate));
  args.push('--mode', options.mode, ...packets, '--price', options.price, '--grant', cardId, '--store', store.folder);
  say(`head-end      tollcast ${args.slice(0, -4).join(' ')}`);
  const child = spawn(process.execPath, [CLI, ...args, '--interface', LOOPBACK], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TOLLCAST_PASSPHRASE: store.passphrase },
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const exit = once(child, 'exit').then(([code]: unknown[]) => code);
  return { exit, stop: () => child.kill(), said: () => said.trim().split('\n').at(-1) };
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
