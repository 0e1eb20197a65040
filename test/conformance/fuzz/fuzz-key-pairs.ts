import fc from 'fast-check';
import { CLA_MODULE, INS } from '../../../apdu/decode-module/instruction.ts';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { derivePairParent } from '../../../apdu/decode-module/keys/public-key-parent.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import type { CommandApdu } from '../../../apdu/iso7816/command-apdu.ts';
import { CARD_KEYS, CEILINGS, encodeContent, findKey, sealAnew, SERVICE, START } from '../messages/messages.ts';
import { EPHEMERAL, makeFixedPair, HEAD_END, sealRawPairPurchase, sealUnderPair } from '../messages/pair-messages.ts';

/** What public keys add to the fuzz; all of one service. */
export type PairCommand =
  | { readonly do: 'private half'; readonly id: number; readonly number: number; readonly half: number }
  | {
      readonly do: 'under half';
      readonly pairId: number;
      readonly half: number;
      readonly kind: typeof KIND.segment | typeof KIND.content | typeof KIND.blind | typeof KIND.service;
      readonly id: number;
      readonly to: number;
      /** Made by the head-end, not by another. */
      readonly genuine: boolean;
    };

/** What differs from card to card, as a pair of its own does; only the status word is compared. */
export type OwnPair =
  | { readonly do: 'generate' }
  | {
      readonly do: 'under own';
      readonly kind: (typeof CHILDREN)[number];
      readonly id: number;
      readonly number: number;
      readonly genuine: boolean;
    };

const CHILDREN = [KIND.service, KIND.segment, KIND.node, KIND.servicePair, KIND.content] as const;
const HALVES = [makeFixedPair('service pair'), makeFixedPair('another service pair')] as const;
/** Above the order of the curve. */
const NO_HALF = new Uint8Array(32).fill(0xff);
const OTHER = makeFixedPair('not the head-end');

const half = fc.constantFrom(0, 0, 0, 1);
const pairId = fc.constantFrom(400, 400, 401, 402, 403, 404);
const number = fc.oneof(fc.nat({ max: 6 }), fc.nat({ max: 70 }));
const genuine = fc.constantFrom(true, true, true, false);

export const pairCommand: fc.Arbitrary<PairCommand> = fc.oneof(
  fc.record({ do: fc.constant('private half'), id: pairId, number, half: fc.constantFrom(0, 0, 0, 1, 2) }),
  fc.record({
    do: fc.constant('under half'),
    pairId,
    half,
    kind: fc.constantFrom(KIND.segment, KIND.content, KIND.blind, KIND.service),
    id: fc.constantFrom(100, 101, 5000, 5000, 6000),
    to: fc.constantFrom(0, 200, 1000, 1000),
    genuine,
  }),
);

export const ownPair: fc.Arbitrary<OwnPair> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ do: 'generate' } as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('under own'),
      kind: fc.constantFrom(...CHILDREN),
      id: fc.constantFrom(1, 100, 6, 400, 5000),
      number,
      genuine,
    }),
  },
);

/** The head-end's point, a pair of the card, and a private half. */
export const pairedOpening: ReadonlyArray<PairCommand | OwnPair> = [
  { do: 'generate' },
  { do: 'private half', id: 400, number: 2, half: 0 },
];

function makeLoad(data: Uint8Array): CommandApdu {
  return { cla: CLA_MODULE, ins: INS.LOAD_KEY, p1: 0, p2: 0, data, le: 256 };
}

function chooseStaticKey(isGenuine: boolean): Uint8Array {
  return (isGenuine ? HEAD_END : OTHER).privateKey;
}

export function makePairApdu(what: PairCommand): CommandApdu {
  if (what.do === 'private half') {
    return makeLoad(sealRawPairPurchase(what.number, HALVES[what.half]?.privateKey ?? NO_HALF, what.id));
  }
  const isContent = what.kind === KIND.content || what.kind === KIND.blind;
  const body =
    what.kind === KIND.service
      ? encodeCeilings(CEILINGS)
      : isContent
        ? encodeContent({ kind: 'free', ssrcs: [0x1000, 0x1002] })
        : new Uint8Array(0);
  const options = {
    pairId: what.pairId,
    publicKey: HALVES[what.half]!.publicKey,
    keyId: what.id,
    to: START + 1 + what.to,
    staticKey: chooseStaticKey(what.genuine),
  };
  return makeLoad(sealUnderPair(what.kind, body, options));
}

/** @param point of the card's own pair; without one yet any will do. */
export function sealUnderOwn(
  what: OwnPair & { do: 'under own' },
  point: Uint8Array = EPHEMERAL.publicKey,
): CommandApdu {
  const bodies = { [KIND.node]: new Uint8Array(0), [KIND.content]: encodeContent({ kind: 'free' }) };
  const body = what.kind in bodies ? bodies[what.kind as keyof typeof bodies] : encodeCeilings(CEILINGS);
  const options = {
    parentKind: KIND.cardPair,
    publicKey: point,
    keyId: what.id,
    number: what.number,
    staticKey: chooseStaticKey(what.genuine),
    key: what.kind === KIND.servicePair ? HALVES[0].privateKey : findKey(what.kind, SERVICE, what.id),
  } as const;
  return makeLoad(sealUnderPair(what.kind, body, options));
}

/** Changed by someone who has the key and signs it again. */
export function spoilPair(
  what: PairCommand,
  data: Uint8Array,
  change: (most: number) => (octets: Uint8Array) => void,
): Uint8Array {
  if (what.do === 'private half') return sealAnew(data, CARD_KEYS.downlink, change(data.length - 16));
  const octets = data.slice();
  const header = { service: SERVICE, parentKind: KIND.servicePair, parentId: what.pairId };
  const sender = { staticKey: chooseStaticKey(what.genuine), ephemeral: EPHEMERAL };
  const { mac } = derivePairParent(header, HALVES[what.half]!.publicKey, sender);
  const tagAt = octets.length - 8;
  change(tagAt)(octets);
  octets.set(new AesCbc(mac).mac(octets.subarray(0, tagAt)).subarray(0, 8), tagAt);
  return octets;
}
