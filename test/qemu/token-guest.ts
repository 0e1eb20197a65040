import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { inspect, parseArgs } from 'node:util';
import type { CardChannel } from '../../apdu/card-channel.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../../apdu/errors.ts';
import { fromHex, toHex } from '../../apdu/octets.ts';
import { type CardKind, startCard } from '../../card-sim/index.ts';
import { listCards } from '../../host/cli/card/card-list.ts';
import { openCard } from '../../host/transport/card/card-address.ts';
import { listTokens } from '../../host/transport/card/token/plugged-tokens.ts';
import { sealContent, sealPart, sealSegment, SERVICE } from '../conformance/messages/messages.ts';
import { replayVectors } from '../support/cards/replay-vectors.ts';
import { chargeThroughUnplugs, fillPurse } from '../support/tokens/charge-through-unplugs.ts';
import { createPlug, type Transport } from './plugs.ts';

// Runs in a machine of its own, whose kernel takes emulated tokens for USB devices. Each line of it is a result.
// token-guest.ts [--card KIND] [--topics NAME,...] [--steps NAME,...] [--unplugs N] [--trips N] TRANSPORT...

/** SELECT of no application, which the card refuses with 6A82. */
const SELECT = fromHex('00a4040000');
const NOBODY = 65_534;
/** ms after which a token is pulled, at most: some groups' worth on an emulated processor. */
const MAX_PULL_MS = 60;
const DEMO = join(import.meta.dirname, '../../scripts/demo.ts');
const DEMO_OCTETS = 20_000;

const { values, positionals: transports } = parseArgs({
  allowPositionals: true,
  options: {
    card: { type: 'string', default: 'soft' },
    /** All when left out. */
    topics: { type: 'string' },
    unplugs: { type: 'string', default: '100' },
    trips: { type: 'string', default: '300' },
    /** All but the demo when left out. */
    steps: { type: 'string' },
  },
});
const kind: CardKind = values.card === 'jcardsim' ? 'jcardsim' : 'soft';
const topics = values.topics?.split(',');
const unplugs = Number(values.unplugs);
const trips = Number(values.trips);
const steps: Record<string, (transport: Transport) => Promise<unknown>> = {
  findTokens,
  refuseAccess,
  waitForToken,
  waitForList,
  measure,
  unplug,
  replay,
  openTwice,
  playDemo,
};
const asked = values.steps?.split(',') ?? Object.keys(steps).filter((name) => name !== 'playDemo');

for (const transport of transports as Transport[]) {
  for (const step of asked) {
    const start = performance.now();
    const result = await steps[step]!(transport).catch((error: unknown) => ({ failed: inspect(error) }));
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    process.stdout.write(`RESULT ${JSON.stringify({ name: `${transport} ${step}`, seconds, result })}\n`);
  }
}
process.exit(0);

async function findTokens(transport: Transport): Promise<unknown> {
  const none = await codeOf(openCard(transport));
  await using firstCard = await startCard({ kind });
  await using secondCard = await startCard({ kind: 'soft' });
  await using first = await createPlug(transport, firstCard, 'A1');
  await first.plugIn();
  const alone = await openCard(transport, { wait: true });
  const answers = [toHex(alone.atr), toHex(await alone.transmit(SELECT))];
  await using second = await createPlug(transport, secondCard, 'B2');
  await second.plugIn();
  const other = await openCard({ kind: transport, serial: 'B2' }, { wait: true });
  const listed = (await listTokens()).map((token) => `${token.kind}:${token.serial} ${token.product}`).toSorted();
  const several = await codeOf(openCard(transport));
  const unknown = await codeOf(openCard(`${transport}:C3`));
  const both = await Promise.all(
    [alone, other, alone, other].map(async (channel) => toHex(await channel.transmit(SELECT))),
  );
  const modules = [await lifeOf(alone), await lifeOf(other)];
  await alone.close();
  await other.close();
  return { none, answers, listed, several, unknown, both, modules };
}

async function refuseAccess(transport: Transport): Promise<unknown> {
  await using card = await startCard({ kind: 'soft' });
  await using token = await createPlug(transport, card, 'A1');
  await token.plugIn();
  await (await openCard(transport, { wait: true })).close();
  process.seteuid!(NOBODY);
  try {
    const error: unknown = await openCard(transport).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return error instanceof TollcastError ? { code: error.code, message: error.message } : { failed: String(error) };
  } finally {
    process.seteuid!(0);
  }
}

/** Plugged in while somebody waits, pulled, and plugged in again. */
async function waitForToken(transport: Transport): Promise<unknown> {
  const reasons: string[] = [];
  await using card = await startCard({ kind: 'soft' });
  await using token = await createPlug(transport, card, 'A1');
  const waiting = openCard(transport, { wait: true, onWaiting: ({ code }) => void reasons.push(code) });
  while (reasons.length === 0) await setTimeout(10);
  await token.plugIn();
  const channel = await waiting;
  const life = await lifeOf(channel);
  await token.unplug();
  const afterwards = await codeOf(channel.transmit(SELECT));
  await token.plugIn();
  const next = await openCard(transport, { wait: true });
  const lifeAgain = await lifeOf(next);
  await next.close();
  return { reasons: [...new Set(reasons)], life, afterwards, lifeAgain };
}

/** `card list --wait` by itself, as it resets the card that it finds. Here, as a start of the command takes long. */
async function waitForList(transport: Transport): Promise<unknown> {
  await using card = await startCard({ kind: 'soft' });
  await using token = await createPlug(transport, card, 'A1');
  const write = process.stdout.write.bind(process.stdout);
  let printed = '';
  process.stdout.write = (chunk) => {
    printed += String(chunk);
    return true;
  };
  try {
    const listing = listCards({ wait: true, json: true });
    await setTimeout(0);
    await token.plugIn();
    await listing;
  } finally {
    process.stdout.write = write;
  }
  const { tokens } = JSON.parse(printed) as { tokens: { token: string; module: { life: string } | null }[] };
  return tokens.map(({ token: name, module }) => [name, module?.life]);
}

async function measure(transport: Transport): Promise<unknown> {
  await using card = await startCard({ kind });
  await using token = await createPlug(transport, card, 'A1');
  await token.plugIn();
  const channel = await openCard(transport, { wait: true });
  const roundTrips = await rateOf(() => channel.transmit(SELECT));
  await fillPurse(channel);
  const module = new DecodeModule(channel);
  await module.select();
  await module.loadKey(sealSegment());
  await module.loadKey(sealContent({ kind: 'free' }));
  await module.openSession(SERVICE);
  const parts = Array.from({ length: trips }, (_, i) => sealPart(i + 1, { spanBlocks: 4 }));
  const decodes = await rateOf((i) => module.decode(parts[i]!));
  await channel.close();
  return { roundTrips, decodes };
}

/** @returns how often a second. */
async function rateOf(trip: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < trips; i++) await trip(i);
  return Math.round((1000 * trips) / (performance.now() - start));
}

/** Pulled between a group and its answer, again and again. */
async function unplug(transport: Transport): Promise<unknown> {
  await using card = await startCard({ kind: 'soft' });
  await using token = await createPlug(transport, card, 'A1');
  const open = (): Promise<CardChannel> => openCard(transport, { wait: true });
  await token.plugIn();
  const channel = await open();
  await fillPurse(channel);
  await channel.close();
  await token.unplug();
  return await chargeThroughUnplugs({
    unplugs,
    plugIn: async () => {
      await token.plugIn();
      return open();
    },
    unplug: async (turn) => {
      await setTimeout((turn * 7) % MAX_PULL_MS);
      await token.unplug();
    },
  });
}

/** The conformance vectors, through the kernel. */
async function replay(transport: Transport): Promise<unknown> {
  await using card = await startCard({ kind });
  await using token = await createPlug(transport, card, 'A1');
  await token.plugIn();
  const open = (): Promise<CardChannel> => openCard(transport, { wait: true });
  return { passed: await replayVectors({ card, open, topics }) };
}

/** The demo with a blank card in a token, which becomes that of an issuer who is new too. */
async function playDemo(transport: Transport): Promise<unknown> {
  await using card = await startCard({ kind });
  await using token = await createPlug(transport, card, 'A1');
  await token.plugIn();
  const folder = await mkdtemp(join(tmpdir(), 'demo-'));
  const source = join(folder, 'source');
  const octets = randomBytes(DEMO_OCTETS);
  await writeFile(source, octets);
  const words = ['--card', transport, '--source', source, '--rate', '50000', '--every', '100', '--json'];
  const child = spawn(process.execPath, [DEMO, ...words], {
    cwd: folder,
    env: { ...process.env, TOLLCAST_PASSPHRASE: 'of the demo', TOLLCAST_NEW_PASSPHRASE: 'of the demo' },
  });
  const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const last = said.trim().split('\n').at(-1) ?? '';
  const outcome: unknown = last.startsWith('{') ? JSON.parse(last) : { said, complained };
  return { sent: octets.length, outcome };
}

/** A second program, which by USB is kept out. */
async function openTwice(transport: Transport): Promise<unknown> {
  if (transport === 'hid') return undefined;
  await using card = await startCard({ kind: 'soft' });
  await using token = await createPlug(transport, card, 'A1');
  await token.plugIn();
  const channel = await openCard(transport, { wait: true });
  const second = await codeOf(openCard(transport));
  const first = toHex(await channel.transmit(SELECT));
  await channel.close();
  const next = await openCard(transport);
  const afterwards = toHex(await next.transmit(SELECT));
  await next.close();
  return { second, first, afterwards };
}

async function lifeOf(channel: CardChannel): Promise<string> {
  return (await new DecodeModule(channel).select()).life;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof TollcastError) return error.code;
    throw error;
  }
}
