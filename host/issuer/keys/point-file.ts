import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isPoint, UNCOMPRESSED } from '../../../apdu/decode-module/keys/p256.ts';
import { concat, fromHex } from '../../../apdu/octets.ts';
import { IssuerError } from '../issuer-error.ts';

const HEX = /^04[0-9a-f]{128}$/i;

/**
 * Reads a public key of P-256: 130 hexadecimal digits, or a file with these or with PEM.
 * @returns the uncompressed point, 65 octets.
 * @throws IssuerError `POINT_FILE`.
 */
export async function readPoint(text: string): Promise<Uint8Array> {
  try {
    const point = HEX.test(text) ? fromHex(text) : parsePoint(await readFile(text, 'utf8'));
    if (isPoint(point)) return point;
  } catch {
    // A private key is refused like any other text, and none of it is quoted.
  }
  throw new IssuerError(
    'POINT_FILE',
    `"${text.slice(0, 100)}" is not a public key of P-256; name the file pair-key.pub.pem of the head-end's state`,
  );
}

function parsePoint(text: string): Uint8Array {
  if (HEX.test(text.trim())) return fromHex(text.trim());
  if (!text.includes('PUBLIC KEY')) throw new Error('it is not a public key');
  const { x = '', y = '' } = createPublicKey(text).export({ format: 'jwk' });
  return concat(Uint8Array.of(UNCOMPRESSED), fromBase64(x), fromBase64(y));
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}
