import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TollcastError } from '../../../apdu/errors.ts';
import type { OfferSigner } from '../../contract/offer/signed-offer.ts';

/** Who signs offers, and the key that cards are to hold for it (DGI 0003). */
export interface NamedSigner extends OfferSigner {
  /** 32 octets. */
  readonly publicKey: Uint8Array;
  /** File with the public key, for `tollcast issuer trust`; undefined when the operator keeps it elsewhere. */
  readonly publicFile: string | undefined;
}

/**
 * Opens the Ed25519 key that signs offers. Where the operator names none, it is made at the first start, for its owner
 * alone to read, with its public half beside it.
 * @param id of the verification key on the cards.
 * @throws TollcastError `SIGNING_KEY` when it cannot be read, or is another kind of key.
 */
export async function openOfferSigner(state: string, id: number, own: string | undefined): Promise<NamedSigner> {
  const path = own ?? join(state, 'offer-key.pem');
  const publicFile = own === undefined ? join(state, 'offer-key.pub.pem') : undefined;
  if (publicFile !== undefined && !existsSync(path)) await makeKey(path, publicFile);
  try {
    const key = createPrivateKey(await readFile(path, 'utf8'));
    const { d = '', x = '' } = key.export({ format: 'jwk' });
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(key.asymmetricKeyType);
    return { keyId: id, privateKey: fromBase64(d), publicKey: fromBase64(x), publicFile };
  } catch {
    // The cause could quote the key.
    throw new TollcastError(
      'SIGNING_KEY',
      `${path} holds no Ed25519 private key; make one: openssl genpkey -algorithm ed25519 -out ${path}`,
    );
  }
}

async function makeKey(path: string, publicFile: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = createPublicKey(privateKey);
  await writeFile(publicFile, publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o644 });
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}
