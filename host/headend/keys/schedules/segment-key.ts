import { type KeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
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

/** Seals a segment key under a service key. @param grace seconds for which it opens what comes after its time. */
export function sealSegment(
  service: number,
  { keyId, from, to, key }: SegmentKey,
  grace: number,
  parent: { readonly kind: ParentKind; readonly id: number; readonly key: Uint8Array },
): KeyMessage {
  const header = { kind: KIND.segment, service, keyId, from, to: to + grace, number: 0 };
  return sealKeyMessage(
    { ...header, parentKind: parent.kind, parentId: parent.id },
    key,
    new Uint8Array(0),
    parent.key,
  );
}
