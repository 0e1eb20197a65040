import { FormatError } from '../../errors.ts';
import type { Values } from '../../layout/field-table.ts';
import { MESSAGE_FRAME } from '../../layout/message-frame.ts';
import { REQUEST, REQUEST_DATA } from '../../layout/requests.ts';
import type { AesCbc, CbcFactory } from '../keys/aes-cbc.ts';
import { KIND } from '../kinds.ts';
import { openMessage, signMessage } from '../signed-message.ts';

/**
 * What a receiver asks of the head-end: to join a service, to leave it later or earlier, for the keys that it misses, or
 * to be kept as a member that is still there.
 */
export type RequestKind = 'join' | 'extend' | 'leave' | 'keyRequest' | 'stay';

/** A request. A card signs it, so that nobody asks in another's name; `firmware-notes/protocol.md` 4.5. */
export interface ServiceRequest extends Values<typeof REQUEST_DATA> {}

/** A request as its card signed it. */
export type SignedRequest = Values<typeof REQUEST> & { readonly kind: RequestKind };

const REQUEST_KINDS: readonly RequestKind[] = ['join', 'extend', 'leave', 'keyRequest', 'stay'];

/**
 * What SIGN REQUEST takes.
 * @returns 40 octets.
 * @throws OutOfRangeError when a field does not fit.
 */
export function encodeRequest(request: ServiceRequest): Uint8Array {
  return REQUEST_DATA.encode(request);
}

/**
 * Signs a request as a card does, which looks at none of its fields.
 * @param kind `KIND` of a {@link RequestKind}.
 * @param data as {@link encodeRequest} makes it, 40 octets.
 * @param mac of the uplink key.
 */
export function signRequest(kind: number, cardId: Uint8Array, data: Uint8Array, mac: AesCbc): Uint8Array {
  const octets = new Uint8Array(REQUEST.length);
  octets.set(cardId, REQUEST.at.cardId);
  octets.set(data, REQUEST.at.service);
  return signMessage(octets, kind, mac);
}

/**
 * Reads the request of a card whose key is known.
 * @param uplinkKey of the card, 16 octets.
 * @throws FormatError when it is not a request, ForgedError when its tag is wrong.
 */
export function openRequest(octets: Uint8Array, uplinkKey: Uint8Array, makeCipher?: CbcFactory): SignedRequest {
  const kind = REQUEST_KINDS.find((name) => KIND[name] === MESSAGE_FRAME.readUint(octets, 'kind'));
  if (kind === undefined) throw new FormatError('this is not a request; drop it');
  return { kind, ...openMessage(REQUEST, KIND[kind], octets, uplinkKey, makeCipher) };
}
