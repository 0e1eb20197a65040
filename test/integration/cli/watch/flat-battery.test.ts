import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { startCard } from '../../../../card-sim/index.ts';
import { parseAnswer } from '../../../../host/contract/answers/answer.ts';
import { KeyStore } from '../../../../host/issuer/keys/key-store.ts';
import { openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { BrokenCard } from '../../../support/cards/broken-card.ts';
import { readGroup, takeApart, tryRecording } from '../../../support/headend/recording.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { type Running, SoldChannel, waitFor } from '../../../support/headend/sold-channel.ts';

/** A flat battery: a watch that is killed, under a head-end and beside a watch that goes on. All of it real. */
const SERVICE = 7;
/** Seconds: the shortest join that can be sold. */
const JOIN = 20;
/** 5.00 USD an hour, in micro-units. */
const HOUR_PRICE = 5_000_000;

interface BillRow {
  readonly user: string;
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly amount: string;
  readonly isClosed: boolean;
}

interface LogRow {
  readonly kind: string;
  readonly outcome: string;
  readonly from: number;
  readonly to: number;
}

let channel: SoldChannel;
let capture: ServiceCapture;

beforeAll(async () => {
  capture = await ServiceCapture.start({ reuseAddr: true });
  const session = {
    name: 'main',
    source: 'clip.data',
    format: 'data',
    rate: 200_000,
    repeat: true,
    address: `${capture.address}:${capture.port}`,
    keys: { period: 3600, grace: 0 },
  };
  const price = { content: { price: '5.00 USD/h', settlement: 'invoice' } };
  const service = { number: SERVICE, name: 'Harbour', price, join: { length: JOIN }, sessions: [session] };
  channel = await SoldChannel.open(service, { 'clip.data': Buffer.alloc(100_000, 7) });
  await Promise.all([channel.makeCard(1), channel.makeCard(2)]);
}, 120_000);

afterAll(async () => {
  await channel.close();
  await capture.close();
});

function watch(card: string, ...more: string[]): Running {
  const at = ['--head-end', channel.headEnd, '--card', `soft:${card}`, '--out', 'udp://127.0.0.1:9'];
  return channel.start('watch', 'Harbour', ...at, '--yes', ...more);
}

const plays = ({ said }: Running) => waitFor(said, () => (said().includes('first plaintext') ? true : undefined));
const logOf = async (card: string) => (await channel.operate('log', '--card', card))['log'] as LogRow[];
const billsOf = async (card: string) =>
  ((await channel.operate('bills'))['bills'] as BillRow[]).filter(({ user }) => user === card);
/** Waits until a card has so many bills. */
const waitForBills = (card: string, count: number) =>
  waitFor(
    () => `bill ${count}`,
    async () => {
      const bills = await billsOf(card);
      return bills.length < count ? undefined : bills;
    },
  );

test('kill -9 of a watch: charged to the agreed end and not a second more, the key changes, others go on', async () => {
  const dead = '4b455a-02-00000001';
  const stays = watch('card-2', '--json');
  let json = '';
  stays.child.stdout!.on('data', (chunk: Buffer) => (json += chunk.toString()));
  await plays(stays);
  const killed = watch('card-1');
  await plays(killed);
  killed.child.kill('SIGKILL');
  expect(await killed.ended).toBe(null);
  // It may have asked for more before, on a machine that is slow.
  const asked = await logOf(dead);
  const agreed = asked.find(({ outcome }) => outcome === 'joined' || outcome === 'extended');
  const joined = asked.find(({ outcome }) => outcome === 'joined')!;
  const end = agreed!.to;
  expect(joined.to - joined.from).toBe(JOIN);
  expect(await billsOf(dead)).toEqual([]);

  await sleep(end * 1000 - Date.now());
  const [bill] = await waitForBills(dead, 1);
  const seconds = end - joined.from;
  const owed = Math.ceil((seconds * HOUR_PRICE) / 3600);
  expect(bill).toMatchObject({ from: joined.from, to: end, seconds, isClosed: true });
  expect(bill!.amount.replace('.', '')).toBe(`${owed.toString().padStart(7, '0')} USD`);
  expect(JSON.stringify(await channel.operate('member', 'list', String(SERVICE), 'main'))).not.toContain(dead);
  const isLater = (packet: Uint8Array) => (packet.at(-4)! & 0x80) !== 0 && readGroup(packet).mediaTime > end + 2;
  await waitFor(
    () => 'what is sent after the end',
    () => capture.media.find(isLater),
  );
  // Nothing is charged that comes later, either.
  expect(await billsOf(dead)).toEqual([bill]);

  // All that was on the network, and in answers to whomever.
  const groups = capture.groups.slice(0, -1).map((packets) => ({ packets, ...readGroup(packets[0]!) }));
  const before = groups.filter(({ mediaTime }) => joined.from < mediaTime && mediaTime < end);
  const after = groups.filter(({ mediaTime }) => mediaTime >= end);
  expect([before.length > 20, after.length > 2]).toEqual([true, true]);
  expect(after[0]!.mediaTime).toBe(end);
  expect(after[0]!.contentKeyId).not.toBe(before.at(-1)!.contentKeyId);
  await using store = await openHeadendStore(join(channel.folder, 'state'));
  const replies = await store.selectFrom('answeredRequest').select('reply').execute();
  const answers = replies.map(({ reply }) => reply).filter((reply) => reply.includes('"messages"'));
  const given = answers.flatMap((reply) => parseAnswer(Buffer.from(reply)).messages);
  const all = [...takeApart(given), ...takeApart(capture.messages)];
  expect(given.length).toBeGreaterThan(3);

  // The card itself, from its file, with all of it in both orders.
  {
    await using card = await startCard({ kind: 'soft', state: join(channel.folder, 'card-1') });
    const module = new DecodeModule(await card.channel());
    await module.select();
    await module.openSession(SERVICE);
    for (const messages of [all, all.toReversed()]) expect(await tryRecording(module, messages, after)).toEqual([]);
  }
  // Whoever reads out its keys and heeds no time has what was paid for, and nothing else.
  const master = await new KeyStore(join(channel.folder, '.tollcast/issuer'), async () => channel.passphrase).open(
    'unique',
  );
  const broken = new BrokenCard(SERVICE, deriveCardKey(master, 'downlink', parseCardId(dead)));
  broken.learn(all);
  expect(before.filter(({ packets }) => broken.open(packets) === undefined)).toEqual([]);
  expect(after.filter(({ packets }) => broken.open(packets) !== undefined)).toEqual([]);

  // A new battery: it joins anew, and that is another entry.
  const again = watch('card-1');
  await plays(again);
  again.child.kill('SIGINT');
  expect(await again.ended, again.said()).toBe(0);
  const [second, first, ...others] = await waitForBills(dead, 2);
  expect(others).toEqual([]);
  expect(first).toEqual(bill);
  expect(second!.from).toBeGreaterThanOrEqual(end);
  expect(second!.seconds).toBe(second!.to - second!.from);

  // The other one played through all of it.
  stays.child.kill('SIGINT');
  expect(await stays.ended, stays.said()).toBe(0);
  expect(stays.said()).not.toMatch(/^(refused|waiting)/m);
  const told = JSON.parse(json) as Record<string, unknown>;
  expect(told).toMatchObject({ missing: 0, drops: { noKey: 0 } });
}, 180_000);
