import { FormatError, OutOfRangeError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';
import { type Tariff, TARIFF, tariffKindOf } from '../money/tariff.ts';

/** What a content key message says beside the key; `firmware-notes/protocol.md` 4.3. */
export interface ContentTerms {
  readonly tariff: Tariff;
  /** Least age that it is for, u8; 0 when it is left out: for all. */
  readonly rating?: number | undefined;
  readonly classes: { readonly card: boolean; readonly soft: boolean };
  /** Segment that the content belongs to, u32: named in receipts, and what a flat price buys. */
  readonly segmentId: number;
  /** One or two streams, even SSRCs. */
  readonly ssrcs: readonly [number, number?];
  /** SRTP master salt, 12 octets. */
  readonly masterSalt: Uint8Array;
  /** Under a slot: version of the key tree's root that it needs, u32; none without it. */
  readonly epoch?: number;
}

const LENGTH = 48;
const SUITE = 1;

/** @throws OutOfRangeError when the price does not fit u32, a salt is not 12 octets, or an SSRC is odd. */
export function encodeContentTerms(terms: ContentTerms): Uint8Array {
  const { kind, price } = terms.tariff;
  const most = kind === 'free' ? 0n : 0xffffffffn;
  if (price < 0n || price > most) {
    throw new OutOfRangeError(`a price of ${price} micro-units does not fit; tariff ${kind} takes 0 to ${most}`);
  }
  if (terms.masterSalt.length !== 12) throw new OutOfRangeError('an SRTP master salt has 12 octets');
  const [first, second = first] = terms.ssrcs;
  if (first % 2 !== 0 || second % 2 !== 0) throw new OutOfRangeError('an SSRC must be even; bit 0 marks RIST repairs');
  const { rating = 0 } = terms;
  if (!Number.isInteger(rating) || rating < 0 || rating > 0xff) {
    throw new OutOfRangeError(`a rating of ${rating} does not fit; it is an age, 0 to 255`);
  }
  const body = new Uint8Array(LENGTH);
  body[0] = TARIFF[kind];
  body[1] = rating;
  body[2] = (terms.classes.card ? 1 : 0) | (terms.classes.soft ? 2 : 0);
  body[3] = SUITE;
  writeUint(body, 4, 4, Number(price));
  writeUint(body, 8, 4, terms.segmentId);
  writeUint(body, 12, 4, terms.epoch ?? 0);
  writeUint(body, 16, 4, first);
  writeUint(body, 20, 4, second);
  body.set(terms.masterSalt, 24);
  return body;
}

/** @throws FormatError when the body is not 48 octets, or names a tariff or suite that this version does not know. */
export function decodeContentTerms(body: Uint8Array): ContentTerms {
  if (body.length !== LENGTH) throw new FormatError(`content terms have ${LENGTH} octets, not ${body.length}`);
  const kind = tariffKindOf(readUint(body, 0, 1));
  if (kind === undefined) throw new FormatError(`tariff ${body[0]} is unknown; a newer bridge may know it`);
  if (body[3] !== SUITE) throw new FormatError(`suite ${body[3]} is unknown; a newer bridge may know it`);
  const first = readUint(body, 16, 4);
  const second = readUint(body, 20, 4);
  const classes = body[2] ?? 0;
  const epoch = readUint(body, 12, 4);
  return {
    tariff: { kind, price: BigInt(readUint(body, 4, 4)) },
    ...(body[1] === 0 ? {} : { rating: body[1] }),
    classes: { card: (classes & 1) !== 0, soft: (classes & 2) !== 0 },
    segmentId: readUint(body, 8, 4),
    ssrcs: first === second ? [first] : [first, second],
    masterSalt: body.slice(24, 36),
    ...(epoch === 0 ? {} : { epoch }),
  };
}
