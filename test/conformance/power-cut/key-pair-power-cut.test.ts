import { expect } from 'vitest';
import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { openLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import type { CutPoint, SimulatedCard } from '../../../card-sim/index.ts';
import { activate } from '../../support/activate.ts';
import { refusal } from '../../support/refusal.ts';
import { cutStages } from './cut-stages.ts';
import { CARD_KEYS, cardPart, CEILINGS, KEYS, PROFILE, SERVICE, spanOf, START } from '../messages/messages.ts';
import {
  contentUnderPair,
  fixedPair,
  HEAD_END,
  pairPurchase,
  SERVICE_PAIR_ID,
  underPair,
} from '../messages/pair-messages.ts';

const FREE = { kind: 'free' } as const;
const MIDDLE = START + 1000;
const FIRST = fixedPair('first');
const SECOND = fixedPair('second');

/** A card in use, and what it played last. */
interface Hands {
  readonly module: DecodeModule;
  readonly secure: () => Promise<DecodeModule>;
  readonly groups: { next: number };
}

interface Stage {
  readonly name: string;
  /** Done again after a cut, whether or not the cut came after its effect. */
  readonly run: (hands: Hands) => Promise<unknown>;
  /** What must hold once it is done. */
  readonly done: (hands: Hands) => Promise<void>;
}

/** @returns the point of the card's own pair, if it has one. */
async function ownPoint(module: DecodeModule): Promise<Uint8Array | undefined> {
  try {
    return await module.publicKey();
  } catch (error) {
    if (!(error instanceof ModuleError) || error.code !== 'UNKNOWN_KEY') throw error;
    return undefined;
  }
}

/** The card's own point, if it answers one, opens what is made for it. */
async function ownPairWhole({ module, groups }: Hands): Promise<boolean> {
  const publicKey = await ownPoint(module);
  if (publicKey === undefined) return false;
  // All in one window with those of the private halves.
  const number = groups.next++;
  const body = encodeCeilings(CEILINGS);
  const message = underPair(KIND.service, body, { parentKind: KIND.cardPair, publicKey, number, keyId: 900 });
  expect(await refusal(module, message)).toBe('');
  await module.deleteKey(KIND.service, SERVICE, 900);
  return true;
}

/** What a private half opens plays right. @returns whether it opens. */
async function opens({ module, groups }: Hands, publicKey: Uint8Array): Promise<boolean> {
  const said = await refusal(module, contentUnderPair(FREE, { publicKey }));
  if (said !== '') {
    expect(['UNKNOWN_KEY', 'CRYPTO']).toContain(said);
    return false;
  }
  const group = groups.next++;
  expect(await module.decode(cardPart(group))).toEqual(spanOf({ group, spanBlocks: 4 }));
  await module.deleteKey(KIND.content, SERVICE, 5000);
  return true;
}

async function bought({ module }: Hands, number: number, privateKey: Uint8Array): Promise<void> {
  const confirm = await module.loadKey(pairPurchase(number, { privateKey }));
  expect(openConfirm(confirm!, CARD_KEYS.uplink)).toMatchObject({ keyId: SERVICE_PAIR_ID, number });
}

async function generated(hands: Hands): Promise<void> {
  const module = await hands.secure();
  expect(await module.generateKeyPair()).toEqual(await module.publicKey());
}

async function expectOwnPair(hands: Hands): Promise<void> {
  expect(await ownPairWhole(hands)).toBe(true);
}

const STAGES: readonly Stage[] = [
  {
    name: 'DGI 0004',
    run: async ({ secure }) => (await secure()).storeData(DGI.headEnd, HEAD_END.publicKey, false),
    done: async () => {},
  },
  { name: 'GENERATE KEY PAIR, the first', run: generated, done: expectOwnPair },
  { name: 'GENERATE KEY PAIR, another', run: generated, done: expectOwnPair },
  { name: 'GENERATE KEY PAIR, in the place of the first', run: generated, done: expectOwnPair },
  {
    name: 'LOAD KEY, private half',
    run: (hands) => bought(hands, 30, FIRST.privateKey),
    done: async (hands) => expect(await opens(hands, FIRST.publicKey)).toBe(true),
  },
  {
    name: 'LOAD KEY, another in its place',
    run: (hands) => bought(hands, 31, SECOND.privateKey),
    async done(hands) {
      expect(await opens(hands, FIRST.publicKey)).toBe(false);
      expect(await opens(hands, SECOND.publicKey)).toBe(true);
    },
  },
  {
    name: 'LEAVE',
    async run({ module }) {
      const record = openLeaveRecord(await module.leave(SERVICE, SERVICE_PAIR_ID, MIDDLE), CARD_KEYS.uplink);
      expect(record).toMatchObject({ keyId: SERVICE_PAIR_ID, to: MIDDLE });
    },
    done: async ({ module }) =>
      expect(await refusal(module, pairPurchase(31, { privateKey: SECOND.privateKey }))).toBe('OLD_NUMBER'),
  },
  {
    name: 'DELETE KEY',
    async run({ module }) {
      try {
        await module.deleteKey(KIND.servicePair, SERVICE, SERVICE_PAIR_ID);
      } catch (error) {
        // Deleted before the power went.
        if (!(error instanceof ModuleError) || error.code !== 'UNKNOWN_KEY') throw error;
      }
    },
    done: async (hands) => expect(await opens(hands, SECOND.publicKey)).toBe(false),
  },
];
/** From here on the card has a pair of its own for good. */
const GENERATED = 1;

async function hold(card: SimulatedCard, groups: Hands['groups']): Promise<Hands> {
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  await module.openSession(SERVICE);
  return { module, secure: async () => new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET)), groups };
}

/** @returns whether the power did fail. */
async function play(card: SimulatedCard, cutStage: number, point: CutPoint): Promise<boolean> {
  await card.erase();
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  await activate(channel, PROFILE, KEYS);
  // Behind the numbers of the private halves, so that no leave takes them.
  const groups = { next: 32 };
  let hands = await hold(card, groups);
  let fired = false;
  for (const [stage, { run, done }] of STAGES.entries()) {
    if (stage === cutStage) {
      const before = await ownPoint(hands.module);
      const { module } = hands;
      // Opening the channel writes too: the cut is of the command alone.
      const secure = await hands.secure();
      await card.cut(point);
      try {
        await run({ module, secure: async () => secure, groups });
      } catch (error) {
        if (!(error instanceof CardGoneError)) throw error;
        fired = true;
        await card.insert();
        hands = await hold(card, groups);
        // All or nothing: a point that is answered has its private half, and no half opens anything wrong.
        const pair = await ownPairWhole(hands);
        if (stage > GENERATED) expect(pair).toBe(true);
        if (!STAGES[stage]!.name.startsWith('GENERATE')) expect(await ownPoint(hands.module)).toEqual(before);
        await opens(hands, FIRST.publicKey);
        await opens(hands, SECOND.publicKey);
      }
    }
    await run(hands);
    await done(hands);
  }
  expect(await ownPairWhole(hands)).toBe(true);
  return fired;
}

cutStages('key pairs', STAGES, play);
