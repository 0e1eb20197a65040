import { describe, expect, it } from 'vitest';
import { type CardLimits, encodeCardLimits, NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { signCreditLimit } from '../../../apdu/decode-module/money/credit-load.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { putKey } from '../../../apdu/secure-channel/put-key.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { openSecureChannel, type SecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { type CutPoint, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { activate } from '../../support/cards/activate.ts';
import { countTally } from '../../support/tally.ts';
import {
  CARD_ID,
  CARD_KEYS,
  sealPart,
  sealContent,
  makeFixedKey,
  KEYS,
  signOrder,
  findKey,
  PROFILE,
  sealAnew,
  SEGMENT_KEY_ID,
  sealSegment,
  SERVICE,
  sealService,
  START,
  USD,
} from '../messages/messages.ts';

const DAY = 86_400;
const SEGMENT_KEY = findKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);
const END = START + 3 * DAY;
const OLD = encodePin('1234');
const NEW = encodePin('5678');
const WRONG = encodePin('0000');
const LIMITS: CardLimits = { ...NO_LIMITS, spendLimit: 2_000_000n, ratingLimit: 12 };
const OWN: ChannelKeySet = { version: 2, enc: makeFixedKey('enc'), mac: makeFixedKey('mac'), dek: makeFixedKey('dek') };
const CREDIT_LIMIT = signCreditLimit(
  { cardId: CARD_ID, number: 2, currency: USD, amount: 3_000_000n, loadId: makeFixedKey('limit').subarray(0, 8) },
  CARD_KEYS['load-in'],
);

/** A card in use and both ways to it. */
interface Hands {
  readonly module: DecodeModule;
  /** The secure channel, with whichever key set the card holds. */
  readonly secure: () => Promise<{ channel: SecureChannel; keys: ChannelKeySet }>;
}

interface Step {
  readonly name: string;
  readonly run: (hands: Hands) => Promise<unknown>;
  /** After the power failed in it, and came again. */
  readonly after: (hands: Hands) => Promise<void>;
}

async function openInsideChannel(hands: Hands): Promise<DecodeModule> {
  return new DecodeModule((await hands.secure()).channel);
}

async function isPinRight(module: DecodeModule, pin: Uint8Array): Promise<boolean> {
  try {
    await module.verifyPin(pin);
    return true;
  } catch (error) {
    if (error instanceof ModuleError) return false;
    throw error;
  }
}

/** In this order on one card; each is done again after a cut unless it says otherwise. */
const STEPS: readonly Step[] = [
  {
    name: 'credit limit',
    run: ({ module }) => module.loadCredit(CREDIT_LIMIT),
    after: async ({ module }) => expect([0n, 3_000_000n]).toContain((await module.getLog(0)).creditLimit),
  },
  {
    name: 'DGI 0002',
    run: async (hands) => (await openInsideChannel(hands)).storeData(DGI.limits, encodeCardLimits(LIMITS), true),
    async after({ module }) {
      // Both or neither: the rating limit is not in the record.
      const { spendLimit } = await module.getLog(0);
      await module.loadKey(sealSegment({ to: END }));
      const rated = sealAnew(sealContent(), SEGMENT_KEY, (octets) => (octets[49] = 18));
      const limited = spendLimit === LIMITS.spendLimit;
      if (!limited) expect(spendLimit).toBe(NO_LIMITS.spendLimit);
      if (limited) await expect(module.loadKey(rated)).rejects.toMatchObject({ code: 'ABOVE_RATING' });
      else await module.loadKey(rated);
    },
  },
  {
    name: 'DGI 8002',
    run: async (hands) => (await openInsideChannel(hands)).storeData(DGI.pin, OLD, true),
    after: async () => {},
  },
  {
    name: 'wrong VERIFY',
    async run({ module }) {
      expect(await isPinRight(module, WRONG)).toBe(false);
    },
    after: async ({ module }) => expect(await isPinRight(module, OLD)).toBe(true),
  },
  {
    name: 'CHANGE PIN',
    async run({ module }) {
      if (await isPinRight(module, OLD)) await module.changePin(OLD, NEW);
      expect(await isPinRight(module, NEW)).toBe(true);
    },
    after: async ({ module }) => expect((await isPinRight(module, OLD)) || (await isPinRight(module, NEW))).toBe(true),
  },
  {
    name: 'SET SPEND LIMIT',
    async run({ module }) {
      await module.verifyPin(NEW);
      await module.setSpendLimit(1_000_000n);
    },
    after: async ({ module }) => expect([2_000_000n, 1_000_000n]).toContain((await module.getLog(0)).spendLimit),
  },
  {
    name: 'PUT KEY',
    async run(hands) {
      const { channel, keys } = await hands.secure();
      await putKey(channel, keys, OWN);
    },
    after: async (hands) => void (await hands.secure()),
  },
  {
    name: 'SET STATUS',
    async run(hands) {
      const module = await openInsideChannel(hands);
      await module.setStatus('blocked');
      await module.setStatus('active');
    },
    async after({ module, secure }) {
      const { life } = await module.select();
      expect(['blocked', 'active']).toContain(life);
      if (life === 'blocked') await new DecodeModule((await secure()).channel).setStatus('active');
    },
  },
  {
    name: 'takes on two days, and CLOSE',
    async run({ module }) {
      await module.loadKey(sealSegment({ to: END }));
      await module.loadKey(sealContent({}, { to: END }));
      await module.openSession(SERVICE);
      const base = (await module.getLog(0)).marks.reduce((most, { group }) => Math.max(most, group), 0);
      await module.decode(sealPart(base + 1, { octets: 1_500_000, mediaTime: START }));
      await module.decode(sealPart(base + 2, { octets: 1_500_000, mediaTime: START + DAY }));
      await module.closeSession();
    },
    async after({ module }) {
      const { day, spentOfDay, spent, loaded, creditLimit } = await module.getLog(0);
      expect(spentOfDay <= 1_000_000n && spentOfDay <= spent).toBe(true);
      expect(spent <= loaded + creditLimit).toBe(true);
      expect([0, START / DAY, START / DAY + 1]).toContain(day);
    },
  },
];

async function takeInHand(card: SimulatedCard): Promise<Hands> {
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  const secure = async (): ReturnType<Hands['secure']> => {
    try {
      return { channel: await openSecureChannel(channel, OWN), keys: OWN };
    } catch (error) {
      if (error instanceof CardGoneError) throw error;
      return { channel: await openSecureChannel(channel, TEST_KEY_SET), keys: TEST_KEY_SET };
    }
  };
  return { module, secure };
}

/** loaded = balance + receipts + torn. */
async function expectLaw(module: DecodeModule): Promise<void> {
  const { loaded, balance, torn, receiptsWritten } = await module.getPurse();
  let receipts = 0n;
  for (let number = 1; number <= receiptsWritten; number++) {
    receipts += openReceipt(await module.getReceipt(number), CARD_KEYS.receipt).amount;
  }
  expect(balance + receipts + torn).toBe(loaded);
}

/** @param point in each command of the step that is cut. @returns whether the power did fail. */
async function play(card: SimulatedCard, cutStep: number, command: number, point: CutPoint): Promise<boolean> {
  await card.erase();
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  await activate(channel, PROFILE, KEYS);
  let hands = await takeInHand(card);
  await hands.module.loadCredit(signOrder(1, 10_000_000n));
  await hands.module.loadKey(sealService(1, {}, { to: END }));
  let fired = false;
  for (const [step, { run, after }] of STEPS.entries()) {
    if (step !== cutStep) {
      await run(hands);
      continue;
    }
    const cutting = await cutAt(card, command, point);
    try {
      await run(cutting);
    } catch (error) {
      if (!(error instanceof CardGoneError)) throw error;
      fired = true;
      await card.insert();
      hands = await takeInHand(card);
      await after(hands);
      await expectLaw(hands.module);
      hands = await takeInHand(card);
      await run(hands);
      continue;
    }
    hands = await takeInHand(card);
  }
  await expectLaw(hands.module);
  return fired;
}

/** All that makes a blank card active, from wherever it stands. */
async function personalise({ module, secure }: Hands): Promise<void> {
  const { life } = await module.select();
  const { channel, keys } = await secure();
  const inside = new DecodeModule(channel);
  if (life === 'blank') {
    await inside.storeData(DGI.pin, OLD, false);
    await inside.storeData(DGI.limits, encodeCardLimits(LIMITS), false);
    await inside.storeData(DGI.profile, PROFILE, false);
    if (keys !== OWN) await putKey(channel, keys, OWN);
    await inside.storeData(DGI.keys, KEYS, true);
  }
  await inside.setStatus('active');
}

/** @returns whether the power did fail. */
async function beginCommand(card: SimulatedCard, command: number, point: CutPoint): Promise<boolean> {
  await card.erase();
  let fired = false;
  try {
    await personalise(await cutAt(card, command, point));
  } catch (error) {
    if (!(error instanceof CardGoneError)) throw error;
    fired = true;
    await card.insert();
    await personalise(await takeInHand(card));
  }
  const { module } = await takeInHand(card);
  await module.loadCredit(signOrder(1, 10_000_000n));
  await module.verifyPin(OLD);
  expect(await module.getLog(0)).toMatchObject({ sequence: 2, loaded: 10_000_000n, spendLimit: LIMITS.spendLimit });
  await module.loadKey(sealService(1));
  await expectLaw(module);
  return fired;
}

/** Hands in which the power fails in one command after SELECT. */
async function cutAt(card: SimulatedCard, command: number, point: CutPoint): Promise<Hands> {
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  let sent = 0;
  const cutting = {
    atr: channel.atr,
    async transmit(octets: Uint8Array) {
      if (sent++ === command) await card.cut(point);
      return channel.transmit(octets);
    },
    close: () => channel.close(),
  };
  const secure = async (): ReturnType<Hands['secure']> => {
    try {
      return { channel: await openSecureChannel(cutting, OWN), keys: OWN };
    } catch (error) {
      if (error instanceof CardGoneError) throw error;
      return { channel: await openSecureChannel(cutting, TEST_KEY_SET), keys: TEST_KEY_SET };
    }
  };
  return { module: new DecodeModule(cutting), secure };
}

describe.each(['soft', 'jcardsim'] as const)('%s', (kind) => {
  it('personalisation, cut at every write', async () => {
    await using card = await startCard({ kind });
    let cuts = 0;
    for (let command = 0; command < 12; command++) {
      let writes = 0;
      while (await beginCommand(card, command, writes)) {
        cuts++;
        writes++;
      }
      if (await beginCommand(card, command, 'afterLast')) cuts++;
    }
    expect(cuts).toBeGreaterThan(20);
    countTally('power cuts', kind, cuts, 'points');
  });

  it.each(STEPS.map(({ name }, step) => [name, step] as const))('%s, cut at every write', async (_, step) => {
    await using card = await startCard({ kind });
    let cuts = 0;
    // A step has a handful of commands; cuts in one that is never sent never fire.
    for (let command = 0; command < 12; command++) {
      let writes = 0;
      while (await play(card, step, command, writes)) {
        cuts++;
        writes++;
      }
      if (await play(card, step, command, 'afterLast')) cuts++;
    }
    expect(cuts).toBeGreaterThan(1);
    countTally('power cuts', kind, cuts, 'points');
  });
});
