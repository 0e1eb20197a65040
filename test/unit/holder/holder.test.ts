import { describe, expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { readCardPartLength, completeCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { sealGrant } from '../../../host/headend/keys/grants/grant.ts';
import { readCard } from '../../../host/holder/card-snapshot.ts';
import { deletePurchase, findPurchase, leavePurchase } from '../../../host/holder/leave.ts';
import { selectActive } from '../../../host/holder/life.ts';
import { changePin, presentPin } from '../../../host/holder/pin.ts';
import { readPurseLog } from '../../../host/holder/purse-log.ts';
import { setSpendLimit } from '../../../host/holder/spend-limit.ts';
import {
  deriveTestCardKey,
  makePayloads,
  personalise,
  START,
  TestService,
} from '../../support/streams/test-service.ts';

const test = cardTest('soft');
const CREDIT = 10_000_000n;
const PIN = encodePin('1234');
const NEW_PIN = encodePin('98765');

async function select(card: SimulatedCard): Promise<DecodeModule> {
  const module = new DecodeModule(await card.channel());
  await selectActive(module);
  return module;
}

/** Gives the card a PIN, as its issuer does. */
async function setPin(card: SimulatedCard): Promise<DecodeModule> {
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await secure.storeData(DGI.pin, PIN, false);
  return select(card);
}

/** Opens a session and one group of 1316 octets in it. */
async function openGroup(module: DecodeModule, service: TestService): Promise<void> {
  for (const message of service.keys()) await module.loadKey(message);
  await module.openSession(7);
  const [group] = service.seal(makePayloads(1));
  const { octets } = group!.packets[0]!;
  const part = octets.subarray(12, 12 + readCardPartLength(octets.subarray(12)));
  await module.decode(completeCardPart(part, service.ssrc, group!.header.group));
}

describe('the log of the purse', () => {
  test('says what happened, the newest first', async ({ card }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId], quantum: 1000n });
    let module = await select(card);
    await openGroup(module, service);
    await module.closeSession();
    await openGroup(module, service);
    await card.pull();
    await card.insert();
    module = await setPin(card);
    await setSpendLimit(module, 5_000_000n, PIN);
    const log = await readPurseLog(module, 64);
    expect(log.map(({ event }) => event)).toEqual([
      { kind: 'spendLimitChanged' },
      { kind: 'torn', service: 7, spent: 1000n, torn: 1000n },
      { kind: 'taken', service: 7, amount: 1000n },
      { kind: 'closed', service: 7, spent: 329n },
      { kind: 'taken', service: 7, amount: 1000n },
      { kind: 'loaded', amount: CREDIT },
      { kind: 'personalised' },
    ]);
    expect(log.map(({ record }) => record.sequence)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(await readPurseLog(module, 2)).toEqual(log.slice(0, 2));
  });
});

describe('the PIN', () => {
  test('is changed with the present one alone, and lifts the spend limit', async ({ card }) => {
    await personalise(card, 1, CREDIT);
    const module = await setPin(card);
    await expect(changePin(module, NEW_PIN, PIN)).rejects.toMatchObject({
      code: 'WRONG_PIN',
      message: 'wrong PIN, 2 tries are left; type it again',
    });
    await changePin(module, PIN, NEW_PIN);
    await presentPin(module, NEW_PIN);
    await setSpendLimit(module, 1_000_000n, NEW_PIN);
    expect((await readCard(module)).purse?.record.spendLimit).toBe(1_000_000n);
  });

  test('is blocked by mistakes, and each says how many tries are left', async ({ card }) => {
    await personalise(card, 1, CREDIT);
    const module = await setPin(card);
    const answers: string[] = [];
    for (let i = 0; i < 4; i++) await presentPin(module, NEW_PIN).catch((error: Error) => answers.push(error.message));
    expect(answers).toEqual([
      'wrong PIN, 2 tries are left; type it again',
      'wrong PIN, one try is left; type it again',
      'wrong PIN, it is blocked now; ask the issuer for a new one: tollcast issuer pin',
      'the PIN is blocked; ask the issuer for a new one: tollcast issuer pin',
    ]);
  });

  test('that a card does not have cannot be presented', async ({ card }) => {
    await personalise(card, 1, CREDIT);
    await expect(presentPin(await select(card), PIN)).rejects.toMatchObject({ code: 'NO_PIN' });
  });
});

test('a purchase is left early, for good, and only one that is there', async ({ card }) => {
  const cardId = await personalise(card, 1, CREDIT);
  const service = new TestService({ cards: [cardId] });
  const module = await select(card);
  for (const grant of service.grants) await module.loadKey(grant);
  const left = await leavePurchase(module, { service: 7, keyId: 1 }, START + 50);
  expect(left.to).toBe(START + 50);
  expect((await module.listKeys()).find(({ keyId }) => keyId === 1)?.to).toBe(START + 50);
  await expect(leavePurchase(module, { service: 7, keyId: 1 }, START + 60)).rejects.toThrow(OutOfRangeError);
  await expect(leavePurchase(module, { service: 8, keyId: 1 }, START)).rejects.toMatchObject({ code: 'UNKNOWN_KEY' });
});

test('of a service key and a segment with one key id the one that is meant is left, or none', async ({ card }) => {
  const cardId = await personalise(card, 1, CREDIT);
  const module = await select(card);
  const ceilings = { perMegabyte: 0n, perHour: 0n, flat: 0n, groupOctets: 0, groupDuration: 0, quantum: 1n };
  const name = { service: 7, keyId: 5 };
  const load = (kind: typeof KIND.service | typeof KIND.segment, number: number) => {
    const purchase = { ...name, kind, key: new Uint8Array(16), from: START, to: START + 100, number, ceilings };
    return module.loadKey(sealGrant(purchase, cardId, deriveTestCardKey('downlink', cardId)).octets);
  };
  // As a head-end may give them: the ids of segments count from 1, and those of service keys are serials of cards.
  await load(KIND.segment, 1);
  await load(KIND.service, 2);
  const ends = async () => (await module.listKeys()).map(({ kind, to }) => [kind, to - START]);
  expect(await ends()).toEqual([
    [KIND.segment, 100],
    [KIND.service, 100],
  ]);
  await expect(leavePurchase(module, name, START + 50)).rejects.toThrow(/is of kinds segment, service; say which/);
  await expect(leavePurchase(module, { ...name, kind: KIND.service }, START + 50)).rejects.toThrow(
    /would end the segment, not the service; take that off first: --kind segment --delete/,
  );
  await leavePurchase(module, { ...name, kind: KIND.segment }, START + 50);
  expect(await ends()).toEqual([
    [KIND.segment, 50],
    [KIND.service, 100],
  ]);
  await deletePurchase(module, await findPurchase(module, { ...name, kind: KIND.segment }));
  await leavePurchase(module, name, START + 60);
  expect(await ends()).toEqual([[KIND.service, 60]]);
});

test('a blank card shows what it is, and has no purse', async ({ card }) => {
  const module = new DecodeModule(await card.channel());
  const blank = await readCard(module);
  expect(blank).toMatchObject({ moduleClass: undefined, purse: undefined, keys: [], trusted: [] });
  expect(blank.answer.life).toBe('blank');
  await expect(selectActive(module)).rejects.toMatchObject({
    code: 'CARD_NOT_ACTIVE',
    message: 'this card is blank; type: tollcast issuer personalise',
  });
  await personalise(card, 1, CREDIT);
  const active = await readCard(new DecodeModule(await card.channel()));
  expect(active.moduleClass).toBe('soft');
  expect(active.capabilities).toContain('pin');
  expect(active.purse?.status.balance).toBe(CREDIT);
});
