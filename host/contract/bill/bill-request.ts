import { sha256 } from '@noble/hashes/sha2.js';

/**
 * The session hash of a request for a bill: SHA-256 of a text that is no offer, its first 20 octets. A request that a
 * card signed for its bill is so under no offer, and keeps nobody joined.
 */
export const BILL_HASH: Uint8Array = sha256(new TextEncoder().encode('tollcast: what do I owe?')).slice(0, 20);

/** The kind of request that asks for a bill; it is under {@link BILL_HASH}. */
export const BILL_REQUEST = 'stay';
