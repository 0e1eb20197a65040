import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { type CardLimits, encodeCardLimits, NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { encodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { encodeVerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { readCardPartLength, completeCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { TransportError } from '../../../apdu/errors.ts';
import { readUint } from '../../../apdu/octets.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { type CardKind, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import type { BridgeOptions } from '../../../host/bridge/index.ts';
import { deriveCeilings, sealGrant } from '../../../host/headend/keys/grants/grant.ts';
import { limitGroups } from '../../../host/headend/sender/sealing-profile.ts';
import { type BridgeRun, startBridge } from '../../support/streams/bridge-run.ts';
import {
  deriveTestCardKey,
  makePayloads,
  personalise,
  START,
  TestNetwork,
  TestService,
} from '../../support/streams/test-service.ts';

const PIN = encodePin('1234');
const CREDIT = 10_000_000n;

let network: TestNetwork;
let card: SimulatedCard;
let runs: BridgeRun[];

beforeEach(async () => {
  network = await TestNetwork.open();
  runs = [];
});

afterEach(async () => {
  for (const run of runs) await run.stop().catch(() => undefined);
  await card.close();
  await network.close();
});

async function makeCard(kind: CardKind, limits: Partial<CardLimits>): Promise<Uint8Array> {
  card = await startCard({ kind });
  const cardId = await personalise(card, 1, CREDIT);
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, ...limits }), false);
  await secure.storeData(DGI.pin, PIN, false);
  await channel.close();
  return cardId;
}

async function start(options: Partial<BridgeOptions> = {}): Promise<BridgeRun> {
  const run = await startBridge(network, card, options);
  runs.push(run);
  return run;
}

/** On a channel of its own, as another program. */
async function withModule(work: (module: DecodeModule) => Promise<unknown>): Promise<void> {
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  await work(module);
  await channel.close();
}

describe.each<CardKind>(['soft', 'jcardsim'])('a card of %s whose policy asks for the PIN', (kind) => {
  test('opens nothing without it, and the run ends with what to do', async () => {
    const service = new TestService({ cards: [await makeCard(kind, { pinForSessions: true })] });
    const run = await start();
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    expect(await run.end).toMatchObject({
      code: 'PIN_NEEDED',
      message: expect.stringMatching(/again with --pin$/) as unknown,
    });
    expect(run.sink.packets).toEqual([]);
  });

  test('opens with it, also after it was pulled and inserted again', async () => {
    const service = new TestService({ cards: [await makeCard(kind, { pinForSessions: true })] });
    const run = await start({ pin: PIN });
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.packets === 10);
    await card.pull();
    await card.insert();
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.packets === 20);
    expect(run.notices).toEqual([`card 0a1b2c-${kind === 'soft' ? '02' : '01'}-00000001 is back`]);
    expect(await run.stop()).toMatchObject({ code: 'STOPPED' });
  });

  test('presents a wrong PIN once: no more tries are used up', async () => {
    await makeCard(kind, { pinForSessions: true });
    const run = await start({ pin: encodePin('9999') });
    await expect(run.end).rejects.toMatchObject({
      code: 'WRONG_PIN',
      message: expect.stringMatching(/2 tries/) as unknown,
    });
    await withModule((module) => module.verifyPin(PIN));
  });

  test('presents a PIN that was changed meanwhile once: one try is used up, not all', async () => {
    const service = new TestService({ cards: [await makeCard(kind, { pinForSessions: true })] });
    let away = false;
    const run = await start({
      pin: PIN,
      open: async () => {
        if (away) throw new TransportError('PCSC_IN_USE', 'the card is in other hands');
        return card.channel();
      },
    });
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.packets === 10);
    away = true;
    await card.pull();
    await card.insert();
    // It notices when it asks for the next group.
    const feed = setInterval(() => {
      network.keys(service.keys());
      void network.groups(service.seal(makePayloads(10)));
    }, 200);
    await run.until(() => run.bridge.status.state === 'waiting for the card');
    const other = encodePin('5678');
    await withModule((module) => module.changePin(PIN, other));
    away = false;
    const { code } = await run.end.finally(() => clearInterval(feed));
    expect(code).toBe('PIN_NEEDED');
    await withModule(async (module) => {
      // The bridge used up one of three tries, so this one leaves one.
      await expect(module.verifyPin(PIN)).rejects.toMatchObject({ status: STATUS.WRONG_PIN + 1 });
      await module.verifyPin(other);
    });
  });
});

test.each([
  ['without the PIN it says what to do', undefined, 1],
  ['the PIN lifts it', PIN, 0],
])('a rating above the limit: %s', async (_name, pin, refused) => {
  const cardId = await makeCard('soft', { ratingLimit: 12, pinLiftsRating: true });
  const validity = { service: 9, from: START, to: START + 1000 };
  const key = randomBytes(16);
  const tariff = { kind: 'free', price: 0n } as const;
  const ceilings = deriveCeilings(tariff, limitGroups({ every: 1, closingTime: 1000 }), 1n);
  const purchase = { ...validity, keyId: 1, key, number: START, ceilings };
  const terms = { tariff, rating: 16, classes: { card: true, soft: true }, segmentId: 1, ssrcs: [2] } as const;
  const content = sealKeyMessage(
    { ...validity, kind: KIND.content, keyId: 2, number: 0, parentKind: KIND.service, parentId: 1 },
    randomBytes(16),
    encodeContentTerms({ ...terms, masterSalt: randomBytes(12) }),
    key,
  );
  const loads: number[] = [];
  const open = async (): Promise<CardChannel> => {
    const channel = await card.channel();
    const transmit = async (command: Uint8Array) => {
      const answer = await channel.transmit(command);
      if (command[1] === INS.LOAD_KEY) loads.push(readUint(answer, answer.length - 2, 2));
      return answer;
    };
    return { atr: channel.atr, transmit, close: () => channel.close() };
  };
  const run = await start({ pin, open });
  await run.until(() => run.bridge.status.state === 'waiting for keys');
  network.keys([sealGrant(purchase, cardId, deriveTestCardKey('downlink', cardId)).octets, content.octets]);
  await run.until(() => loads.length === 2 && run.bridge.status.drops.keyRefused === refused);
  expect(run.notices).toEqual(
    pin === undefined ? [expect.stringMatching(/rated above the limit of this card; start again with --pin/)] : [],
  );
  expect(loads).toEqual([STATUS.DONE, refused === 1 ? STATUS.ABOVE_RATING : STATUS.DONE]);
});

test('a grant in another currency is refused by the card, and its holder told', async () => {
  const cardId = await makeCard('soft', {});
  const tariff = { kind: 'octets', price: 3_000_000n } as const;
  const ceilings = { ...deriveCeilings(tariff, limitGroups({ every: 10, closingTime: 1000 }), 1n), currency: 392 };
  const purchase = { service: 9, from: START, to: START + 1000, keyId: 1, key: randomBytes(16), number: 1, ceilings };
  const run = await start();
  network.keys([sealGrant(purchase, cardId, deriveTestCardKey('downlink', cardId)).octets]);
  await run.until(() => run.bridge.status.drops.keyRefused === 1);
  expect(run.notices).toEqual([
    'the card refuses a key that it was granted: it may be priced in another currency; ask the operator',
  ]);
});

test('the spend limit of the day: waits for it to be raised, and goes on', async () => {
  const service = new TestService({ cards: [await makeCard('soft', { spendLimit: 4000n })], quantum: 1000n });
  const run = await start({ waitForCredit: true });
  network.keys(service.keys());
  await network.groups(service.seal(makePayloads(20)));
  await run.until(() => run.bridge.status.state === 'waiting for credit');
  expect(run.bridge.status).toMatchObject({ stopReason: 'SPEND_LIMIT', packets: 10 });
  await withModule(async (module) => {
    await module.verifyPin(PIN);
    await module.setSpendLimit(1_000_000n);
  });
  await run.until(() => run.bridge.status.packets === 20);
  expect(run.bridge.status.stopReason).toBeUndefined();
});

test('the spend limit of the day ends a run that does not wait', async () => {
  const service = new TestService({ cards: [await makeCard('soft', { spendLimit: 1000n })], quantum: 1000n });
  const run = await start();
  network.keys(service.keys());
  await network.groups(service.seal(makePayloads(10)));
  const end = await run.end;
  expect(end).toMatchObject({
    code: 'SPEND_LIMIT',
    message: expect.stringMatching(/card spend-limit AMOUNT/) as unknown,
  });
  expect(end.bill).toMatchObject({ amount: 0n, balance: CREDIT });
});

test('knows whose signatures the card trusts, and passes each confirm on once', async () => {
  const cardId = await makeCard('soft', {});
  const trusted = { id: 7, key: new Uint8Array(32).fill(9) };
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await secure.storeData(DGI.verificationKey, encodeVerificationKey(2, trusted), false);
  await channel.close();

  const service = new TestService({ cards: [cardId] });
  const confirms: Uint8Array[] = [];
  const run = await start({ onConfirm: (confirm) => confirms.push(confirm) });
  network.keys(service.keys());
  await network.groups(service.seal(makePayloads(10)));
  await run.until(() => run.bridge.status.packets === 10);
  expect(run.bridge.status.trusted).toEqual([trusted]);
  await card.pull();
  await card.insert();
  network.keys(service.keys());
  await network.groups(service.seal(makePayloads(10)));
  await run.until(() => run.bridge.status.packets === 20);
  expect(run.notices).toEqual(['card 0a1b2c-02-00000001 is back']);
  expect(confirms.map((octets) => openConfirm(octets, deriveTestCardKey('uplink', cardId)))).toEqual([
    { cardId, service: 7, keyId: 1, number: START, from: START, to: START + 100_000 },
  ]);
});

test('warns of receipts before they stop the card, and says when they do', async () => {
  const service = new TestService({ cards: [await makeCard('soft', {})], quantum: 10_000n });
  const sessions = async (count: number, from: number) => {
    await withModule(async (module) => {
      for (const message of service.keys()) await module.loadKey(message);
      for (let i = 0; i < count; i++) {
        await module.openSession(7);
        const { octets } = service.seal(makePayloads(1))[0]!.packets[0]!;
        const part = octets.subarray(12, 12 + readCardPartLength(octets.subarray(12)));
        await module.decode(completeCardPart(part, service.ssrc, from + i));
        await module.closeSession();
      }
    });
  };
  await sessions(24, 1);
  const told = await start();
  await told.until(() => told.notices.length > 0);
  expect(told.notices[0]).toMatch(/^the card holds 24 receipts .* at 32; type soon: tollcast issuer collect$/);
  await told.stop();
  await sessions(8, 25);
  const run = await start();
  network.keys(service.keys());
  await network.groups(service.seal(makePayloads(10)));
  expect(await run.end).toMatchObject({
    code: 'RECEIPTS_DUE',
    message: expect.stringMatching(/issuer collect$/) as unknown,
  });
  expect(run.bridge.status.stopReason).toBe('RECEIPTS_DUE');
});
