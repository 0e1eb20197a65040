import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { type CardKind, startCard } from '../../../card-sim/index.ts';
import { systemClock } from '../../../host/clock/clock.ts';
import { startBridge } from '../../support/streams/bridge-run.ts';
import { makePayloads, personalise, TestNetwork, TestService } from '../../support/streams/test-service.ts';
import { MemoryToken } from '../../support/tokens/memory-token.ts';

const CREDIT = 10_000_000n;
/** Micro-units for 1,000,000 octets. */
const PRICE = 250_000n;
/** Payloads that each host plays. */
const SHARE = 30;

/** The card is in a reader, or is a token's. */
interface Form {
  readonly kind: CardKind;
  readonly isToken?: true;
}

let folder: string;
let network: TestNetwork;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-hosts-'));
  network = await TestNetwork.open();
});

afterEach(async () => {
  await network.close();
  await rm(folder, { recursive: true, force: true });
});

/** Has the card in one form for as long as `work` takes: plugged in before it, and pulled out after it. */
async function withCard<T>(
  { kind, isToken }: Form,
  work: (open: () => Promise<CardChannel>) => Promise<T>,
): Promise<T> {
  await using card = await startCard({ kind, state: join(folder, 'card') });
  return await work(isToken === true ? () => new MemoryToken(card, systemClock).open() : () => card.channel());
}

/** What a host of its own gets of a programme that others have begun. */
async function playOn(
  form: Form,
  service: TestService,
  before: readonly Uint8Array[],
  payloads: readonly Uint8Array[],
) {
  return withCard(form, async (open) => {
    await using card = await startCard({ kind: 'soft' });
    const run = await startBridge(network, card, { open });
    network.keys(service.keys());
    // What the former host has paid for is sent again; the card knows it.
    if (before.length > 0) {
      await network.media(before);
      await run.until(() => run.bridge.status.drops.refused + run.bridge.status.drops.late > 0);
    }
    const packets = service.seal(payloads).flatMap((group) => group.packets.map(({ octets }) => octets));
    await network.media(packets);
    await run.until(() => run.bridge.status.packets >= payloads.length);
    const { bill } = await run.stop();
    return { packets, played: run.sink.payload, bill: bill!, paid: run.bridge.status.paid };
  });
}

const WAYS: readonly (readonly [string, readonly Form[]])[] = [
  ['a soft card, as a card, a token and a card', [{ kind: 'soft' }, { kind: 'soft', isToken: true }, { kind: 'soft' }]],
  [
    'an applet over TCP, over PC/SC and as a token',
    [{ kind: 'jcardsim' }, { kind: 'pcsc' }, { kind: 'jcardsim', isToken: true }],
  ],
];

test.each(WAYS)('%s, on three hosts in one programme: nothing is paid twice', async (_name, forms) => {
  const cardId = await withCardId(forms[0]!);
  const service = new TestService({ cards: [cardId], tariff: { kind: 'octets', price: PRICE } });
  const payloads = makePayloads(forms.length * SHARE);
  const before: Uint8Array[] = [];
  const played: Buffer[] = [];
  let balance = CREDIT;
  let octets = 0;
  const numbers: number[] = [];
  for (const [i, form] of forms.entries()) {
    const own = payloads.slice(i * SHARE, (i + 1) * SHARE);
    const host = await playOn(form, service, before, own);
    before.push(...host.packets);
    played.push(host.played);
    octets += host.paid;
    numbers.push(...host.bill.receipts.map(({ number }) => number));
    expect(host.bill.torn).toBe(0n);
    expect(host.bill.balance).toBe(balance - host.bill.amount);
    balance = host.bill.balance;
  }
  expect(Buffer.concat(played).equals(Buffer.concat(payloads))).toBe(true);
  expect(octets).toBe(payloads.reduce((sum, { length }) => sum + length, 0));
  // Each session rounds up once.
  const exact = (BigInt(octets) * PRICE) / 1_000_000n;
  expect(CREDIT - balance).toBeGreaterThanOrEqual(exact);
  expect(CREDIT - balance).toBeLessThanOrEqual(exact + BigInt(forms.length));
  expect(numbers).toEqual(forms.map((_form, i) => numbers[0]! + i));
});

test.each(WAYS)('%s: a flat price is paid once for a segment, by the first host', async (_name, forms) => {
  const cardId = await withCardId(forms[0]!);
  const service = new TestService({ cards: [cardId], tariff: { kind: 'flat', price: 1_500_000n } });
  const amounts: bigint[] = [];
  for (const form of forms) amounts.push((await playOn(form, service, [], makePayloads(SHARE))).bill.amount);
  expect(amounts).toEqual([1_500_000n, 0n, 0n]);
});

/** Makes the card that all hosts have in turn. @returns its id. */
async function withCardId({ kind }: Form): Promise<Uint8Array> {
  await using card = await startCard({ kind, state: join(folder, 'card') });
  return await personalise(card, 1, CREDIT);
}
