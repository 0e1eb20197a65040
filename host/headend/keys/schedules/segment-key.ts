import { type KeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import {
  type HeaderUnderPublicKey,
  sealUnderServicePair,
} from '../../../../apdu/decode-module/keys/public-key-parent.ts';
import { KIND, type ParentKind } from '../../../../apdu/decode-module/kinds.ts';

/** A segment key. Several may follow each other in one segment that is sold. */
export interface SegmentKey {
  /** u32. */
  readonly keyId: number;
  /** Id of the segment that is sold, which a flat price is paid for once. */
  readonly segment: number;
  /** Media time [from, to) in which content keys come under it, seconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** 16 octets. */
  readonly key: Uint8Array;
}

const NO_BODY = new Uint8Array(0);

/** A segment that is sold, and the time in which its keys open something, seconds since 1970. */
export interface OpenedSegment {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

/** Seals a segment key under a service key. @param grace seconds for which it opens what comes after its time. */
export function sealSegment(
  service: number,
  segment: SegmentKey,
  grace: number,
  parent: { readonly kind: ParentKind; readonly id: number; readonly key: Uint8Array },
): KeyMessage {
  const header = { ...headerOf(service, segment, grace), parentKind: parent.kind, parentId: parent.id };
  return sealKeyMessage(header, segment.key, NO_BODY, parent.key);
}

/**
 * Seals a segment key for all that have the private half of a pair of the service.
 * @param grace as in {@link sealSegment}.
 * @param pair its key id, and its point, 65 octets.
 * @param staticKey the head-end's static private half, 32 octets.
 */
export function sealSegmentUnderPair(
  service: number,
  segment: SegmentKey,
  grace: number,
  pair: { readonly id: number; readonly publicKey: Uint8Array },
  staticKey: Uint8Array,
): KeyMessage {
  const header = headerOf(service, segment, grace);
  return sealUnderServicePair(header, segment.key, NO_BODY, pair.id, pair.publicKey, { staticKey });
}

function headerOf(service: number, { keyId, from, to }: SegmentKey, grace: number): HeaderUnderPublicKey {
  return { kind: KIND.segment, service, keyId, from, to: to + grace, number: 0 };
}
