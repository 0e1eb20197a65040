import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isPrivateHalf } from '../../../../apdu/decode-module/keys/p256.ts';
import { TollcastError } from '../../../../apdu/errors.ts';

/** The head-end's static key of P-256, which cards have the point of (DGI 0004). */
export interface PairKey {
  /** 32 octets. */
  readonly privateKey: Uint8Array;
  /** File with the public key, for `tollcast issuer pair`; undefined when the operator keeps it elsewhere. */
  readonly publicFile: string | undefined;
}

/**
 * Opens the static key of a head-end. Where the operator names none, it is made at the first start, for its owner alone
 * to read, with its public half beside it.
 * @throws TollcastError `PAIR_KEY` when it cannot be read, or is another kind of key.
 */
export async function openPairKey(state: string, own: string | undefined): Promise<PairKey> {
  const path = own ?? join(state, 'pair-key.pem');
  const publicFile = own === undefined ? join(state, 'pair-key.pub.pem') : undefined;
  if (publicFile !== undefined && !existsSync(path)) await makeKey(path, publicFile);
  try {
    const { crv, d = '' } = createPrivateKey(await readFile(path, 'utf8')).export({ format: 'jwk' });
    const privateKey = new Uint8Array(Buffer.from(d, 'base64url'));
    if (crv !== 'P-256' || !isPrivateHalf(privateKey)) throw new Error('another kind of key');
    return { privateKey, publicFile };
  } catch {
    // The cause could quote the key.
    throw new TollcastError(
      'PAIR_KEY',
      `${path} holds no private key of P-256; make one: openssl genpkey -algorithm EC ` +
        `-pkeyopt ec_paramgen_curve:P-256 -out ${path}`,
    );
  }
}

async function makeKey(path: string, publicFile: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const publicKey = createPublicKey(privateKey);
  await writeFile(publicFile, publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o644 });
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
}
