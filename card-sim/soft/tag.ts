import type { CbcCipher } from '../../apdu/decode-module/keys/aes-cbc.ts';

/** Whether the last `length` octets are the tag of all before them; compared without leaving early. */
export function isTagRight(mac: CbcCipher, message: Uint8Array, length: number): boolean {
  const tagAt = message.length - length;
  const expected = mac.mac(message, tagAt);
  let difference = 0;
  for (let i = 0; i < length; i++) difference |= expected[i]! ^ message[tagAt + i]!;
  return difference === 0;
}
