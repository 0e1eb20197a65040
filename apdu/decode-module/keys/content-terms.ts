import { FormatError, OutOfRangeError } from '../../errors.ts';
import type { Values } from '../../layout/field-table.ts';
import { CONTENT_TERMS } from '../../layout/keys.ts';
import { type Tariff, TARIFF, tariffKindOf } from '../money/tariff.ts';

type Fields = Values<typeof CONTENT_TERMS>;

/** What a content key message says beside the key; `firmware-notes/protocol.md` 4.3. */
export interface ContentTerms extends Pick<Fields, 'segmentId' | 'masterSalt'> {
  readonly tariff: Tariff;
  /** Least age that it is for, u8; 0 when it is left out: for all. */
  readonly rating?: number | undefined;
  readonly classes: { readonly card: boolean; readonly soft: boolean };
  /** One or two streams, even SSRCs. */
  readonly ssrcs: readonly [number, number?];
  /** Under a slot: version of the key tree's root that it needs, u32; left out, it needs no tree. */
  readonly epoch?: number;
}

/** Bits of the field `classes`. */
export const CLASS_BIT = { card: 1, soft: 2 } as const;
/** The ciphers of this version. */
export const SUITE = 1;

/**
 * Makes the body of a content key message.
 * @returns 48 octets.
 * @throws OutOfRangeError when a field does not fit, something free has a price, or an SSRC is odd.
 */
export function encodeContentTerms(terms: ContentTerms): Uint8Array {
  const { tariff, rating = 0, classes, segmentId, masterSalt, epoch = 0 } = terms;
  if (tariff.kind === 'free' && tariff.price !== 0n) {
    throw new OutOfRangeError(`what is free has no price of ${tariff.price} micro-units; name another tariff`);
  }
  const [firstSsrc, secondSsrc = firstSsrc] = terms.ssrcs;
  if (firstSsrc % 2 !== 0 || secondSsrc % 2 !== 0) {
    throw new OutOfRangeError('an SSRC must be even; bit 0 marks RIST repairs');
  }
  return CONTENT_TERMS.encode({
    tariff: TARIFF[tariff.kind],
    rating,
    classes: (classes.card ? CLASS_BIT.card : 0) | (classes.soft ? CLASS_BIT.soft : 0),
    suite: SUITE,
    price: tariff.price,
    segmentId,
    epoch,
    firstSsrc,
    secondSsrc,
    masterSalt,
  });
}

/**
 * Reads the body of a content key message.
 * @throws FormatError when the body is not 48 octets, a reserved one is not zero, or it names a tariff or suite that
 *   this version does not know.
 */
export function decodeContentTerms(body: Uint8Array): ContentTerms {
  const { rating, classes, price, segmentId, epoch, firstSsrc, secondSsrc, masterSalt, ...codes } =
    CONTENT_TERMS.decode(body);
  const kind = tariffKindOf(codes.tariff);
  if (kind === undefined) throw new FormatError(`tariff ${codes.tariff} is unknown; a newer tollcast may know it`);
  if (codes.suite !== SUITE) throw new FormatError(`suite ${codes.suite} is unknown; a newer tollcast may know it`);
  return {
    tariff: { kind, price },
    ...(rating === 0 ? {} : { rating }),
    classes: { card: (classes & CLASS_BIT.card) !== 0, soft: (classes & CLASS_BIT.soft) !== 0 },
    segmentId,
    ssrcs: firstSsrc === secondSsrc ? [firstSsrc] : [firstSsrc, secondSsrc],
    masterSalt,
    ...(epoch === 0 ? {} : { epoch }),
  };
}
