import { type ContentCiphers, contentCiphers } from '../../apdu/decode-module/card-part.ts';
import { splitKey } from '../../apdu/decode-module/key-pair.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { readUint, writeUint } from '../../apdu/octets.ts';

/** What a key of any kind has. `from` and `to` as kept, the overlap with its parents. */
interface KeyBase {
  readonly service: number;
  readonly id: number;
  readonly from: number;
  readonly to: number;
  /** The two working keys, schedules made. */
  readonly ciphers: ContentCiphers;
}

/** A service key with the purchase that brought it; `firmware-notes/protocol.md` 4.2. Persistent. */
export interface ServiceKey extends KeyBase {
  readonly kind: typeof KIND.service;
  /** Of the message that brought it. */
  readonly number: number;
  readonly perMegabyte: number;
  readonly perHour: number;
  readonly flat: number;
  readonly groupOctets: number;
  readonly groupDuration: number;
  readonly quantum: number;
}

/** In RAM. */
export interface SegmentKey extends KeyBase {
  readonly kind: typeof KIND.segment;
  readonly purchase: ServiceKey;
}

/** In RAM; `firmware-notes/protocol.md` 4.3. */
export interface ContentKey extends KeyBase {
  readonly kind: typeof KIND.content;
  readonly parent: ServiceKey | SegmentKey;
  readonly purchase: ServiceKey;
  readonly tariff: number;
  readonly price: number;
  readonly segment: number;
  readonly firstSsrc: number;
  readonly secondSsrc: number;
}

export type CardKey = ServiceKey | SegmentKey | ContentKey;

export const SERVICE_SLOTS = 16;
export const SEGMENT_SLOTS = 4;
export const CONTENT_SLOTS = 2;

/** A service key in persistent memory: valid u8, 3 spare, service, id, from, to, number u32 each, body 32, key 16. */
export const SERVICE_SLOT_LENGTH = 72;
const BODY_AT = 24;
const KEY_AT = 56;

/** What makes a service key, as LOAD KEY has found it right. */
export interface Purchase {
  readonly service: number;
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly number: number;
  /** Ceilings, 32 octets. */
  readonly body: Uint8Array;
  /** 16 octets. */
  readonly key: Uint8Array;
}

export function encodeServiceSlot(purchase: Purchase): Uint8Array {
  const octets = new Uint8Array(SERVICE_SLOT_LENGTH);
  octets[0] = 1;
  writeUint(octets, 4, 4, purchase.service);
  writeUint(octets, 8, 4, purchase.id);
  writeUint(octets, 12, 4, purchase.from);
  writeUint(octets, 16, 4, purchase.to);
  writeUint(octets, 20, 4, purchase.number);
  octets.set(purchase.body, BODY_AT);
  octets.set(purchase.key, KEY_AT);
  return octets;
}

/** Nothing when the slot is free. */
export function decodeServiceSlot(octets: Uint8Array): ServiceKey | undefined {
  if (octets[0] !== 1) return undefined;
  const service = readUint(octets, 4, 4);
  const id = readUint(octets, 8, 4);
  return {
    kind: KIND.service,
    service,
    id,
    from: readUint(octets, 12, 4),
    to: readUint(octets, 16, 4),
    number: readUint(octets, 20, 4),
    ciphers: contentCiphers(splitKey(KIND.service, service, id, octets.subarray(KEY_AT, KEY_AT + 16))),
    perMegabyte: readUint(octets, BODY_AT, 4),
    perHour: readUint(octets, BODY_AT + 4, 4),
    flat: readUint(octets, BODY_AT + 8, 4),
    groupOctets: readUint(octets, BODY_AT + 12, 3),
    groupDuration: readUint(octets, BODY_AT + 15, 3),
    quantum: readUint(octets, BODY_AT + 18, 6),
  };
}
