import { createCipheriv, createDecipheriv, createECDH, createHash } from 'node:crypto';
import type { ContentKeys } from './open-by-hand.ts';

/** A key message and the key that was in it. */
export interface HandUnwrapped {
  readonly kind: number;
  readonly keyId: number;
  readonly from: number;
  readonly to: number;
  readonly number: number;
  readonly parentKind: number;
  readonly parentId: number;
  readonly body: Buffer;
  readonly key: Buffer;
}

/** Whole messages of one datagram of the key port; `firmware-notes/protocol.md` 5.3. */
export function splitDatagram(datagram: Uint8Array): Buffer[] {
  const rest = Buffer.from(datagram);
  const messages: Buffer[] = [];
  for (let at = 0; at < rest.length; at += rest.readUInt16BE(at + 2)) {
    messages.push(rest.subarray(at, at + rest.readUInt16BE(at + 2)));
  }
  return messages;
}

/**
 * Opens a key message, written from `firmware-notes/protocol.md` 1.1 and 4 alone. Throws when the tag is wrong.
 * @param parentKey of a service's pair its private half, 32 octets.
 * @param headEnd the head-end's static point, 65 octets; for messages under a pair alone.
 */
export function unwrapByHand(message: Buffer, parentKey: Uint8Array, headEnd?: Uint8Array): HandUnwrapped {
  const parentKind = message[24]!;
  const parentId = message.readUInt32BE(28);
  const service = parentKind === 1 ? 0 : message.readUInt32BE(4);
  const secret = parentKind === 0x16 ? agreeByHand(message, parentKey, headEnd!) : parentKey;
  const parent = splitByHand(parentKind, service, parentId, secret);
  const tagLength = parentKind === 1 ? 16 : 8;
  const signed = message.subarray(0, -tagLength);
  const cbc = createCipheriv('aes-128-cbc', parent.mac, Buffer.alloc(16)).setAutoPadding(false).update(signed);
  if (!cbc.subarray(-16).subarray(0, tagLength).equals(message.subarray(-tagLength))) {
    throw new Error('the tag of a key message is wrong');
  }
  const keyEnd = message[0] === 0x16 ? 64 : 48;
  const unwrap = createDecipheriv('aes-128-cbc', parent.encryption, Buffer.alloc(16)).setAutoPadding(false);
  return {
    kind: message[0]!,
    keyId: message.readUInt32BE(8),
    from: message.readUInt32BE(12),
    to: message.readUInt32BE(16),
    number: message.readUInt32BE(20),
    parentKind,
    parentId,
    body: message.subarray(keyEnd, -tagLength),
    key: unwrap.update(message.subarray(32, keyEnd)),
  };
}

/** What stands in the place of a parent's key under a private half; 4.9. */
function agreeByHand(message: Buffer, privateHalf: Uint8Array, headEnd: Uint8Array): Buffer {
  const ephemeral = message.subarray(-8 - 64, -8);
  const own = createECDH('prime256v1');
  own.setPrivateKey(privateHalf);
  const agree = (point: Uint8Array) => createHash('sha1').update(own.computeSecret(point)).digest();
  return Buffer.concat([agree(Buffer.concat([Buffer.of(4), ephemeral])), agree(headEnd), ephemeral]);
}

/** The working keys of a content key, from its message. */
export function deriveContentKeysByHand(service: number, { keyId, key, body }: HandUnwrapped): ContentKeys {
  return { ...splitByHand(0x12, service, keyId, key), masterSalt: body.subarray(24, 36) };
}

function splitByHand(kind: number, service: number, id: number, key: Uint8Array): { encryption: Buffer; mac: Buffer } {
  const head = Buffer.alloc(9);
  head[0] = kind;
  head.writeUInt32BE(service, 1);
  head.writeUInt32BE(id, 5);
  const digest = createHash('sha256').update(head).update(key).digest();
  return { encryption: digest.subarray(0, 16), mac: digest.subarray(16) };
}
