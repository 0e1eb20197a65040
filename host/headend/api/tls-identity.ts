import { createHash, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';

/** What the API shows to its clients, PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly certificate: string;
  /** SHA-256 of the public key as it stands in the certificate (SubjectPublicKeyInfo, DER), hexadecimal. */
  readonly fingerprint: string;
}

/** Files of a key and certificate, PEM. */
export interface TlsFiles {
  readonly key: string;
  readonly certificate: string;
}

/** Receivers trust the key that the offer names, so the certificate need not end before the machine does. */
const YEARS = 30;

/** The files that a head-end makes for itself. */
function ownTlsFiles(state: string): TlsFiles {
  return { key: join(state, 'tls-key.pem'), certificate: join(state, 'tls-certificate.pem') };
}

/**
 * Opens the key and certificate of the API. Where the operator names none, they are made at the first start, the key for
 * its owner alone to read.
 * @param own files of the operator.
 * @param host name or address by which clients reach the API.
 * @throws TollcastError `TLS_FILES` when they cannot be read, or are not PEM.
 */
export async function openTlsIdentity(state: string, own: TlsFiles | undefined, host: string): Promise<TlsIdentity> {
  const files = own ?? ownTlsFiles(state);
  if (own === undefined && !existsSync(files.key)) await makeFiles(files, host);
  try {
    const key = await readFile(files.key, 'utf8');
    const certificate = await readFile(files.certificate, 'utf8');
    return { key, certificate, fingerprint: fingerprintOf(certificate) };
  } catch (cause) {
    throw new TollcastError(
      'TLS_FILES',
      `${files.key} and ${files.certificate} are not a key and its certificate in PEM; name both, or neither`,
      { cause },
    );
  }
}

/**
 * Reads by which key the head-end is known that runs with this state; nothing is made.
 * @param own files of the operator.
 * @returns as {@link TlsIdentity.fingerprint}.
 * @throws TollcastError `TLS_FILES` when no head-end has run there yet, or the certificate cannot be read.
 */
export async function readTlsFingerprint(state: string, own: TlsFiles | undefined): Promise<string> {
  const { certificate } = own ?? ownTlsFiles(state);
  let text;
  try {
    text = await readFile(certificate, 'utf8');
  } catch (cause) {
    const isMissing = own === undefined && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const message = isMissing
      ? `no head-end has run with the state in ${state}; start it: tollcast headend serve --config FILE`
      : `${certificate} cannot be read; name the certificate of the head-end, and let yourself read it`;
    throw new TollcastError('TLS_FILES', message, { cause });
  }
  try {
    return fingerprintOf(text);
  } catch (cause) {
    throw new TollcastError('TLS_FILES', `${certificate} is not a certificate in PEM; name the head-end's`, { cause });
  }
}

function fingerprintOf(certificate: string): string {
  const publicKey = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return toHex(createHash('sha256').update(publicKey).digest());
}

/** Makes a P-256 key and a certificate that it signs itself. */
async function makeFiles({ key, certificate }: TlsFiles, host: string): Promise<void> {
  // Loaded at the first start alone.
  const { generate } = await import('selfsigned');
  const notAfterDate = new Date();
  notAfterDate.setFullYear(notAfterDate.getFullYear() + YEARS);
  const altNames = [isIPv4(host) ? ({ type: 7, ip: host } as const) : ({ type: 2, value: host } as const)];
  const made = await generate([{ name: 'commonName', value: 'tollcast head-end' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate,
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  await writeFile(certificate, `${made.cert}\n`, { mode: 0o644 });
  // The key comes last: with it the pair is whole.
  await writeFile(key, made.private, { mode: 0o600, flag: 'wx' });
}
