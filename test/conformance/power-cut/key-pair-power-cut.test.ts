import { expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { openLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import type { CutPoint, SimulatedCard } from '../../../card-sim/index.ts';
import { activate } from '../../support/cards/activate.ts';
import { loadRefused } from '../../support/refusal.ts';
import { CARD_KEYS, sealPart, CEILINGS, KEYS, PROFILE, SERVICE, makeSpan, START } from '../messages/messages.ts';
import {
  sealContentUnderPair,
  makeFixedPair,
  HEAD_END,
  sealPairPurchase,
  SERVICE_PAIR_ID,
  sealUnderPair,
} from '../messages/pair-messages.ts';
import { cutStages } from './cut-stages.ts';

const FREE = { kind: 'free' } as const;
const MIDDLE = START + 1000;
const FIRST = makeFixedPair('first');
const SECOND = makeFixedPair('second');

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
async function readOwnPoint(module: DecodeModule): Promise<Uint8Array | undefined> {
  try {
    return await module.getPublicKey();
  } catch (error) {
    if (!(error instanceof ModuleError) || error.code !== 'UNKNOWN_KEY') throw error;
    return undefined;
  }
}

/** The card's own point, if it answers one, opens what is made for it. */
async function isOwnPairWhole({ module, groups }: Hands): Promise<boolean> {
  const publicKey = await readOwnPoint(module);
  if (publicKey === undefined) return false;
  // All in one window with those of the private halves.
  const number = groups.next++;
  const body = encodeCeilings(CEILINGS);
  const message = sealUnderPair(KIND.service, body, { parentKind: KIND.cardPair, publicKey, number, keyId: 900 });
  expect(await loadRefused(module, message)).toBe('');
  await module.deleteKey(KIND.service, SERVICE, 900);
  return true;
}

/** What a private half opens plays right. @returns whether it opens. */
async function canOpen({ module, groups }: Hands, publicKey: Uint8Array): Promise<boolean> {
  const said = await loadRefused(module, sealContentUnderPair(FREE, { publicKey }));
  if (said !== '') {
    expect(['UNKNOWN_KEY', 'CRYPTO']).toContain(said);
    return false;
  }
  const group = groups.next++;
  expect(await module.decode(sealPart(group))).toEqual(makeSpan({ group, spanBlocks: 4 }));
  await module.deleteKey(KIND.content, SERVICE, 5000);
  return true;
}

async function loadPurchase({ module }: Hands, number: number, privateKey: Uint8Array): Promise<void> {
  const confirm = await module.loadKey(sealPairPurchase(number, { privateKey }));
  expect(openConfirm(confirm!, CARD_KEYS.uplink)).toMatchObject({ keyId: SERVICE_PAIR_ID, number });
}

async function generatePair(hands: Hands): Promise<void> {
  const module = await hands.secure();
  expect(await module.generateKeyPair()).toEqual(await module.getPublicKey());
}

async function expectOwnPair(hands: Hands): Promise<void> {
  expect(await isOwnPairWhole(hands)).toBe(true);
}

const STAGES: readonly Stage[] = [
  {
    name: 'DGI 0004',
    run: async ({ secure }) => (await secure()).storeData(DGI.headEnd, HEAD_END.publicKey, false),
    done: async () => {},
  },
  { name: 'GENERATE KEY PAIR, the first', run: generatePair, done: expectOwnPair },
  { name: 'GENERATE KEY PAIR, another', run: generatePair, done: expectOwnPair },
  { name: 'GENERATE KEY PAIR, in the place of the first', run: generatePair, done: expectOwnPair },
  {
    name: 'LOAD KEY, private half',
    run: (hands) => loadPurchase(hands, 30, FIRST.privateKey),
    done: async (hands) => expect(await canOpen(hands, FIRST.publicKey)).toBe(true),
  },
  {
    name: 'LOAD KEY, another in its place',
    run: (hands) => loadPurchase(hands, 31, SECOND.privateKey),
    async done(hands) {
      expect(await canOpen(hands, FIRST.publicKey)).toBe(false);
      expect(await canOpen(hands, SECOND.publicKey)).toBe(true);
    },
  },
  {
    name: 'LEAVE',
    async run({ module }) {
      const record = openLeaveRecord(await module.leave(SERVICE, SERVICE_PAIR_ID, MIDDLE), CARD_KEYS.uplink);
      expect(record).toMatchObject({ keyId: SERVICE_PAIR_ID, to: MIDDLE });
    },
    done: async ({ module }) =>
      expect(await loadRefused(module, sealPairPurchase(31, { privateKey: SECOND.privateKey }))).toBe('OLD_NUMBER'),
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
    done: async (hands) => expect(await canOpen(hands, SECOND.publicKey)).toBe(false),
  },
];
/** From here on the card has a pair of its own for good. */
const GENERATED = 1;

async function takeInHand(card: SimulatedCard, groups: Hands['groups']): Promise<Hands> {
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
  let hands = await takeInHand(card, groups);
  let fired = false;
  for (const [stage, { run, done }] of STAGES.entries()) {
    if (stage === cutStage) {
      const before = await readOwnPoint(hands.module);
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
        hands = await takeInHand(card, groups);
        // All or nothing: a point that is answered has its private half, and no half opens anything wrong.
        const pair = await isOwnPairWhole(hands);
        if (stage > GENERATED) expect(pair).toBe(true);
        if (!STAGES[stage]!.name.startsWith('GENERATE')) expect(await readOwnPoint(hands.module)).toEqual(before);
        await canOpen(hands, FIRST.publicKey);
        await canOpen(hands, SECOND.publicKey);
      }
    }
    await run(hands);
    await done(hands);
  }
  expect(await isOwnPairWhole(hands)).toBe(true);
  return fired;
}

cutStages('key pairs', STAGES, play);
