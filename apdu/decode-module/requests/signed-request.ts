import { FormatError, OutOfRangeError } from '../../errors.ts';
import { readUint, writeUint } from '../../octets.ts';
import type { AesCbc } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { requireSigned, signMessage } from './signed-message.ts';

/** What somebody asks of the head-end: to join a service, to stay longer, or to leave it. */
export type RequestKind = 'join' | 'extend' | 'leave';

/** A request, which a card signs so that nobody asks in another's name; `firmware-notes/protocol.md` 4.5. */
export interface ServiceRequest {
  readonly service: number;
  /** Media time [from, to) that it is about. */
  readonly from: number;
  readonly to: number;
  /** 8 octets, of the head-end's choosing: no request is good twice. */
  readonly requestId: Uint8Array;
  /** 20 octets that bind it to the session in which it is asked. */
  readonly sessionHash: Uint8Array;
}

/** Octets that SIGN REQUEST takes. */
export const REQUEST_DATA_LENGTH = 40;
const REQUEST_LENGTH = 80;
const REQUEST_KINDS: readonly RequestKind[] = ['join', 'extend', 'leave'];

/** @throws OutOfRangeError when request id or session hash have another length. */
export function encodeRequest(request: ServiceRequest): Uint8Array {
  if (request.requestId.length !== 8 || request.sessionHash.length !== 20) {
    throw new OutOfRangeError('a request id has 8 octets and a session hash 20');
  }
  const data = new Uint8Array(REQUEST_DATA_LENGTH);
  writeUint(data, 0, 4, request.service);
  writeUint(data, 4, 4, request.from);
  writeUint(data, 8, 4, request.to);
  data.set(request.requestId, 12);
  data.set(request.sessionHash, 20);
  return data;
}

/**
 * @param kind `KIND.join`, `KIND.extend` or `KIND.leave`.
 * @param data 40 octets.
 * @param mac of the uplink key.
 */
export function signRequest(kind: number, cardId: Uint8Array, data: Uint8Array, mac: AesCbc): Uint8Array {
  const octets = new Uint8Array(REQUEST_LENGTH);
  octets.set(cardId, 4);
  octets.set(data, 12);
  return signMessage(octets, kind, mac);
}

/**
 * @param uplinkKey of the card, 16 octets.
 * @throws FormatError, ForgedError.
 */
export function openRequest(
  octets: Uint8Array,
  uplinkKey: Uint8Array,
): ServiceRequest & { readonly kind: RequestKind; readonly cardId: Uint8Array } {
  const kind = REQUEST_KINDS.find((name) => KIND[name] === octets[0]);
  if (kind === undefined) throw new FormatError('this is no request to join, extend or leave');
  requireSigned(octets, KIND[kind], REQUEST_LENGTH, uplinkKey, 'request');
  return {
    kind,
    cardId: octets.slice(4, 12),
    service: readUint(octets, 12, 4),
    from: readUint(octets, 16, 4),
    to: readUint(octets, 20, 4),
    requestId: octets.slice(24, 32),
    sessionHash: octets.slice(32, 52),
  };
}
