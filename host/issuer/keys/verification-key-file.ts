import { createPublicKey } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { IssuerError } from '../issuer-error.ts';

/** Octets. */
const MAX_FILE = 4096;
const HEX = /^[0-9a-f]{64}$/i;

/**
 * Reads `ID=KEY`: a number, and an Ed25519 public key as 64 hexadecimal digits or as a file with these or with PEM.
 * @throws IssuerError `VERIFICATION_KEY`.
 */
export async function readVerificationKey(text: string): Promise<VerificationKey> {
  const match = /^(\d{1,10})=(.+)$/s.exec(text);
  const id = Number(match?.[1]);
  if (match?.[2] === undefined || id < 1 || id > 0xffff_ffff) {
    throw new IssuerError(
      'VERIFICATION_KEY',
      `"${text.slice(0, 40)}" is not a verification key; write ID=KEY, as in 1=headend.pem, ` +
        'with an id from 1 to 4294967295',
    );
  }
  if (HEX.test(match[2])) return { id, key: fromHex(match[2]) };
  return { id, key: parseKey(match[2], await readStart(match[2])) };
}

/** @returns the text of the file, or nothing when it is too large for a key. */
async function readStart(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      return (await file.stat()).size > MAX_FILE ? '' : await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new IssuerError('VERIFICATION_KEY', `${path} cannot be read; name a file with an Ed25519 public key`, {
      cause,
    });
  }
}

/** A private key is refused like any other text, and none of it is quoted. */
function parseKey(path: string, text: string): Uint8Array {
  if (HEX.test(text.trim())) return fromHex(text.trim());
  try {
    const { x } = text.includes('PUBLIC KEY') ? createPublicKey(text).export({ format: 'jwk' }) : {};
    const key = new Uint8Array(Buffer.from(x ?? '', 'base64url'));
    if (createPublicKey(text).asymmetricKeyType === 'ed25519' && key.length === 32) return key;
  } catch {
    // The refusal below says it.
  }
  throw new IssuerError(
    'VERIFICATION_KEY',
    text.includes('PRIVATE KEY')
      ? `${path} holds a private key; keep it secret, and name a file with its public half: ` +
          `openssl pkey -in ${path} -pubout -out headend.pem`
      : `${path} holds no Ed25519 public key; make a file with one: ` +
          'openssl pkey -in PRIVATE-KEY -pubout -out headend.pem',
  );
}
