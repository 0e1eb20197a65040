import { encodeCardLimits } from '../../../apdu/decode-module/card-limits.ts';
import { CLA_ISO, CLA_MODULE, INS, STORE_LAST, STORE_MORE } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { MODULE_AID } from '../../../apdu/decode-module/select-answer.ts';
import { type CommandApdu, encodeCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { CARD_PROFILE } from '../../../apdu/layout/card.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../apdu/layout/keys.ts';
import { concat } from '../../../apdu/octets.ts';
import {
  signAcknowledgementUpTo,
  CARD_KEYS,
  sealPart,
  sealContent,
  findKey,
  KEYS,
  signOrder,
  PROFILE,
  sealAnew,
  sealPartAnew,
  signAnew,
  sealSegment,
  SERVICE_KEY_ID,
  sealService,
  START,
} from '../messages/messages.ts';
import { HEAD_END } from '../messages/pair-messages.ts';
import { encodeU32 } from '../tester.ts';
import type { Command, Content, Decode, Segment, Service, Spoilt, Store } from './fuzz-actions.ts';
import { makeHolderApdu, spoilHolder, choosePin } from './fuzz-holder.ts';
import { spoilPair, makePairApdu } from './fuzz-key-pairs.ts';

const TARIFFS = ['free', 'octets', 'duration', 'flat'] as const;
/** Receipts of this much are due. */
const STRICT = 1000;
/** 0.6 USD a day, nothing rated above 12, the PIN for sessions and for what is rated above. */
const LIMITS = encodeCardLimits({ spendLimit: 600_000n, ratingLimit: 12, pinForSessions: true, pinLiftsRating: true });

/**
 * The command of an action.
 * @param position of the action in its row: group numbers rise with it.
 */
export function encodeAction(what: Command | Spoilt, position: number): Uint8Array {
  if (!('bits' in what)) return encodeCommand(makeApdu(what, position));
  const apdu = makeApdu(what.what, position);
  const data = apdu.data ?? new Uint8Array(0);
  if (what.do === 'odd') return encodeCommand({ ...apdu, data: spoil(what, data) });
  if (what.do === 'resized') return encodeCommand({ ...apdu, data: resize(data, what.at) });
  if (what.do === 'spliced') {
    const other = makeApdu(what.with, position).data ?? new Uint8Array(0);
    const from = what.at % (data.length + 1);
    return encodeCommand({ ...apdu, data: concat(data.subarray(0, from), other.subarray(from)) });
  }
  const octets = encodeCommand(apdu);
  // Behind header and Lc, so that its length stays what it says.
  if (octets.length > 6) octets[5 + (what.at % (octets.length - 6))]! ^= what.bits;
  return octets;
}

function makeApdu(what: Command, position: number): CommandApdu {
  const command = { cla: CLA_MODULE, p1: 0, p2: 0, le: 256 };
  switch (what.do) {
    case 'select':
      return { ...command, cla: CLA_ISO, ins: INS.SELECT, p1: 4, data: MODULE_AID };
    case 'more':
      return { ...command, cla: CLA_ISO, ins: INS.GET_RESPONSE };
    case 'any':
      return {
        cla: what.cla,
        ins: what.ins,
        p1: what.p,
        p2: 0,
        data: new Uint8Array(what.length),
        ...(what.le === 0 ? {} : { le: what.le }),
      };
    case 'store':
      return {
        ...command,
        ins: INS.STORE_DATA,
        p1: what.last ? STORE_LAST : STORE_MORE,
        data: makeDataObject(what.group),
      };
    case 'open':
      return { ...command, ins: INS.OPEN_SESSION, data: encodeU32(what.service) };
    case 'close':
      return { ...command, ins: INS.CLOSE_SESSION };
    case 'list':
      return { ...command, ins: INS.LIST_KEYS };
    case 'purse':
      return { ...command, ins: INS.GET_PURSE };
    case 'start':
      return { ...command, ins: INS.START_LOAD };
    case 'service':
    case 'segment':
    case 'content':
      return { ...command, ins: INS.LOAD_KEY, data: makeKeyMessage(what) };
    case 'delete':
      return {
        ...command,
        ins: INS.DELETE_KEY,
        data: concat(Uint8Array.of(what.kind), encodeU32(what.service), encodeU32(what.id)),
      };
    case 'decode':
      return { ...command, ins: INS.DECODE, data: makePart(what, position) };
    case 'load': {
      const order = signOrder(what.number, BigInt(what.amount), new Uint8Array(8).fill(what.id));
      return { ...command, ins: INS.LOAD_CREDIT, data: order };
    }
    case 'receipt':
      return { ...command, ins: INS.GET_RECEIPT, data: what.number < 0 ? undefined : encodeU32(what.number) };
    case 'acknowledge':
      return { ...command, ins: INS.ACKNOWLEDGE_RECEIPTS, data: signAcknowledgementUpTo(what.upTo) };
    case 'private half':
    case 'under half':
      return makePairApdu(what);
    default:
      return makeHolderApdu(what, position);
  }
}

function makeDataObject(group: Store['group']): Uint8Array {
  if (group === 'keys') return concat(Uint8Array.of(0x80, 0x01, KEYS.length), KEYS);
  if (group === 'pin') return concat(Uint8Array.of(0x80, 0x02, 8), choosePin(0));
  if (group === 'limits') return concat(Uint8Array.of(0x00, 0x02, LIMITS.length), LIMITS);
  if (group === 'head-end') return concat(Uint8Array.of(0x00, 0x04, 65), HEAD_END.publicKey);
  if (group === 'no head-end') return concat(Uint8Array.of(0x00, 0x04, 65), HEAD_END.publicKey.with(64, 0));
  const profile = PROFILE.slice();
  if (group === 'strict profile') CARD_PROFILE.writeUint(profile, 'maximumUnacknowledged', STRICT);
  return concat(Uint8Array.of(0x00, 0x01, profile.length), profile);
}

/** Even streams; content keys name them by two. */
function chooseSsrc(stream: number): number {
  return 0x1000 + 2 * stream;
}

function makePart(what: Decode, position: number): Uint8Array {
  return sealPart(Math.max(0, position + what.ahead), {
    service: what.service,
    contentKeyId: what.id,
    ssrc: chooseSsrc(what.stream),
    packets: what.packets,
    octets: what.octets,
    duration: what.duration,
    mediaTime: START + what.at,
    spanBlocks: what.blocks,
    mode: what.open ? 'open' : 'sealed',
  });
}

function makeKeyMessage(what: Service | Segment | Content): Uint8Array {
  const key = { service: what.service, keyId: what.id, from: START + what.from, to: START + what.to };
  switch (what.do) {
    case 'service': {
      const most = what.dear ? 0xffffffffn : 1_000_000n;
      const units = what.dear ? 0xffffff : 1_500_000;
      const ceilings = { perMegabyte: most, perHour: most, flat: most, groupOctets: units, groupDuration: units };
      return sealService(what.number, { ...ceilings, quantum: BigInt(what.quantum) }, key);
    }
    case 'segment':
      return sealSegment({ ...key, parentId: what.parent });
    case 'content': {
      const parent = what.direct
        ? { parentKind: KIND.service, parentId: SERVICE_KEY_ID }
        : { parentKind: KIND.segment, parentId: what.parent };
      const kind = TARIFFS[what.tariff]!;
      const terms = {
        kind,
        price: kind === 'free' ? 0n : BigInt(what.price),
        card: (what.classes & 1) !== 0,
        soft: (what.classes & 2) !== 0,
        segmentId: what.segment,
        rating: what.rating,
        ssrcs: [chooseSsrc(2 * what.pair), chooseSsrc(2 * what.pair + 1)] as const,
      };
      return sealContent(terms, { ...key, ...parent });
    }
  }
}

/** Cut short, or grown by zeros; never above what a short command holds. */
function resize(data: Uint8Array, at: number): Uint8Array {
  const octets = new Uint8Array(Math.min(255, at % (data.length + 18)));
  octets.set(data.subarray(0, octets.length));
  return octets;
}

/** Some octet changed, and the right tag put on again where there is one. */
function spoil({ what, at, bits }: Spoilt, data: Uint8Array): Uint8Array {
  const change = (most: number) => (octets: Uint8Array) => {
    octets[at % most]! ^= bits;
  };
  switch (what.do) {
    case 'decode':
      return sealPartAnew(data, change(32), what.service);
    case 'service':
      return sealAnew(data, CARD_KEYS.downlink, change(data.length - 16));
    case 'segment':
    case 'content':
      return sealAnew(
        data,
        findKey(KEY.readUint(data, 'parentKind'), what.service, KEY.readUint(data, 'parentId')),
        change(data.length - 8),
      );
    case 'load':
      return signAnew(data, CARD_KEYS['load-in'], change(data.length - 16));
    case 'acknowledge':
      return signAnew(data, CARD_KEYS.acknowledgement, change(data.length - 16));
    case 'select':
    case 'more':
    case 'any':
    case 'store':
    case 'open':
    case 'close':
    case 'list':
    case 'purse':
    case 'start':
    case 'delete':
    case 'receipt':
      return data;
    case 'private half':
    case 'under half':
      return spoilPair(what, data, change);
    default:
      return spoilHolder(what, data, change);
  }
}
