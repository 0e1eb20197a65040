import process from 'node:process';
import type { CardChannel } from '../../apdu/card-channel.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { CardGoneError, TollcastError } from '../../apdu/errors.ts';
import { fromHex, toHex } from '../../apdu/octets.ts';
import { type CardKind, startCard } from '../../card-sim/index.ts';
import { UhidToken } from '../../card-sim/token/uhid-token.ts';
import { openCard } from '../../host/transport/card/card-address.ts';
import { listHidTokens } from '../../host/transport/card/hid/hid-token.ts';
import { replayVectors } from '../support/cards/replay-vectors.ts';

// Runs in a machine of its own, whose kernel takes uhid's tokens for USB devices. Each line of it is a result.

/** SELECT of no application, which the card refuses with 6A82. */
const SELECT = fromHex('00a4040000');
const UNPLUGS = 100;
const ROUND_TRIPS = 300;
const NOBODY = 65_534;

const kind: CardKind = process.argv[2] === 'jcardsim' ? 'jcardsim' : 'soft';
const steps: Record<string, () => Promise<unknown>> = {
  findTokens,
  refuseAccess,
  waitForToken,
  measure,
  unplug,
  replay,
};

for (const [name, run] of Object.entries(steps)) {
  const start = performance.now();
  const result = await run().catch((error: unknown) => ({
    failed: String(error instanceof Error ? error.stack : error),
  }));
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  process.stdout.write(`RESULT ${JSON.stringify({ name, seconds, result })}\n`);
}
process.exit(0);

async function findTokens(): Promise<unknown> {
  const none = await codeOf(openCard('hid'));
  await using firstCard = await startCard({ kind });
  await using secondCard = await startCard({ kind: 'soft' });
  await using first = UhidToken.plugIn(firstCard, 'A1');
  const alone = await openCard('hid');
  const answers = [toHex(alone.atr), toHex(await alone.transmit(SELECT))];
  await using second = UhidToken.plugIn(secondCard, 'B2');
  void [first, second];
  const listed = (await listHidTokens()).map(({ serial, product }) => `${serial} ${product}`).toSorted();
  const several = await codeOf(openCard('hid'));
  const unknown = await codeOf(openCard('hid:C3'));
  const other = await openCard('hid:B2');
  const both = await Promise.all(
    [alone, other, alone, other].map(async (channel) => toHex(await channel.transmit(SELECT))),
  );
  const modules = [await lifeOf(alone), await lifeOf(other)];
  await alone.close();
  await other.close();
  return { none, answers, listed, several, unknown, both, modules };
}

async function refuseAccess(): Promise<unknown> {
  await using card = await startCard({ kind: 'soft' });
  await using token = UhidToken.plugIn(card, 'A1');
  void token;
  process.seteuid!(NOBODY);
  try {
    const error: unknown = await openCard('hid').then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return error instanceof TollcastError ? { code: error.code, message: error.message } : { failed: String(error) };
  } finally {
    process.seteuid!(0);
  }
}

/** Plugged in while somebody waits, pulled, and plugged in again. */
async function waitForToken(): Promise<unknown> {
  const reasons: string[] = [];
  await using card = await startCard({ kind: 'soft' });
  const waiting = openCard('hid', { wait: true, onWaiting: ({ code }) => void reasons.push(code) });
  while (reasons.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const token = UhidToken.plugIn(card, 'A1');
  const channel = await waiting;
  const life = await lifeOf(channel);
  await token.unplug();
  const afterwards = await codeOf(channel.transmit(SELECT));
  await using again = UhidToken.plugIn(card, 'A1');
  void again;
  const next = await openCard('hid', { wait: true });
  const lifeAgain = await lifeOf(next);
  await next.close();
  return { reasons, life, afterwards, lifeAgain };
}

async function measure(): Promise<unknown> {
  await using card = await startCard({ kind });
  await using token = UhidToken.plugIn(card, 'A1');
  void token;
  const channel = await openCard('hid');
  const direct = await timePerTrip(async () => void (await card.counts()));
  const perTrip = await timePerTrip(async () => void (await channel.transmit(SELECT)));
  await channel.close();
  return { perSecond: Math.round(1000 / perTrip), isSlowerThanNothing: perTrip > direct };
}

async function timePerTrip(trip: () => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < ROUND_TRIPS; i++) await trip();
  return (performance.now() - start) / ROUND_TRIPS;
}

/** Pulled in mid-command: each command is answered or fails, and none is stuck. */
async function unplug(): Promise<unknown> {
  const outcomes = { answered: 0, gone: 0, other: [] as string[] };
  await using card = await startCard({ kind: 'soft' });
  for (let i = 0; i < UNPLUGS; i++) {
    const token = UhidToken.plugIn(card, 'A1');
    const channel = await openCard('hid', { wait: true });
    const commands = Array.from({ length: 3 }, () => channel.transmit(SELECT));
    const settled = Promise.allSettled(commands);
    await new Promise((resolve) => setTimeout(resolve, i % 8));
    await token.unplug();
    for (const outcome of await settled) {
      if (outcome.status === 'fulfilled' && toHex(outcome.value) === '6a82') outcomes.answered++;
      else if (outcome.status === 'rejected' && outcome.reason instanceof CardGoneError) outcomes.gone++;
      else outcomes.other.push(JSON.stringify(outcome));
    }
    await channel.close();
  }
  return outcomes;
}

/** The conformance vectors, through the kernel. */
async function replay(): Promise<unknown> {
  await using card = await startCard({ kind });
  await using token = UhidToken.plugIn(card, 'A1');
  void token;
  const passed = await replayVectors({
    card,
    open: () => openCard('hid', { wait: true }),
    topics: process.argv[3]?.split(','),
  });
  return { passed };
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
