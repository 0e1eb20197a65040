import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { CARD_KEY_LENGTH, type MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { IssuerError } from '../issuer-error.ts';

/** How a passphrase becomes a key: scrypt, RFC 7914, with r = 8 and p = 1. */
export interface PassphraseCost {
  /** log2 of N, 14 to 20; 17 takes 128 MiB. */
  readonly logN: number;
  /** 16 octets; the files of one store share it, so that the work is done once. */
  readonly salt: Uint8Array;
}

const MIN_LOG_N = 14;
const MAX_LOG_N = 20;
const DEFAULT_LOG_N = 17;
const SALT_LENGTH = 16;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

const derive = promisify<string, Uint8Array, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(
  scrypt,
);

export function newPassphraseCost(logN: number = DEFAULT_LOG_N): PassphraseCost {
  return { logN, salt: randomBytes(SALT_LENGTH) };
}

/** The key that a passphrase gives, 32 octets. NFKC makes the spellings of different keyboards the same. */
export function passphraseKey(passphrase: string, { logN, salt }: PassphraseCost): Promise<Uint8Array> {
  const N = 2 ** logN;
  return derive(passphrase.normalize('NFKC'), salt, 32, { N, r: 8, p: 1, maxmem: 2 * 128 * 8 * N });
}

/** Seals a master with AES-256-GCM; name and cost are authenticated too. @returns the text of its file. */
export function sealMaster(name: MasterName, master: Uint8Array, key: Uint8Array, cost: PassphraseCost): string {
  const nonce = randomBytes(NONCE_LENGTH);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH });
  cipher.setAAD(additionalData(name, cost));
  const sealed = Buffer.concat([cipher.update(master), cipher.final(), cipher.getAuthTag()]);
  const file = {
    tollcast: 'master',
    version: 1,
    name,
    scrypt: { logN: cost.logN, salt: Buffer.from(cost.salt).toString('hex') },
    nonce: nonce.toString('hex'),
    sealed: sealed.toString('hex'),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** A master as it stands in its file. */
export interface SealedMaster {
  readonly name: MasterName;
  readonly cost: PassphraseCost;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

/**
 * Reads the text of a master's file. The cost is checked here, before scrypt spends it.
 * @throws IssuerError `STORE_DAMAGED` when it is not one that {@link sealMaster} wrote.
 */
export function parseMaster(name: MasterName, text: string): SealedMaster {
  const damaged = (cause?: unknown) =>
    new IssuerError('STORE_DAMAGED', `the file of the ${name} master is damaged; put your copy of it back`, { cause });
  let file: Record<string, unknown>;
  try {
    const parsed: unknown = JSON.parse(text);
    if (!isRecord(parsed) || !isRecord(parsed['scrypt'])) throw damaged();
    file = { ...parsed, ...parsed['scrypt'] };
  } catch (cause) {
    // Not even the cause is passed on: JSON.parse quotes what it read.
    throw cause instanceof IssuerError ? cause : damaged();
  }
  const { logN } = file;
  const salt = hexField(file['salt'], SALT_LENGTH);
  const nonce = hexField(file['nonce'], NONCE_LENGTH);
  const sealed = hexField(file['sealed'], CARD_KEY_LENGTH + TAG_LENGTH);
  if (file['version'] !== 1 || file['name'] !== name || !salt || !nonce || !sealed) throw damaged();
  if (typeof logN !== 'number' || !Number.isInteger(logN) || logN < MIN_LOG_N || logN > MAX_LOG_N) throw damaged();
  return { name, cost: { logN, salt }, nonce, sealed };
}

/**
 * Opens a sealed master.
 * @param key of the passphrase, at the master's own cost.
 * @returns 16 octets.
 * @throws IssuerError `WRONG_PASSPHRASE` when the tag is wrong.
 */
export function openMaster({ name, cost, nonce, sealed }: SealedMaster, key: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(additionalData(name, cost));
  decipher.setAuthTag(sealed.subarray(CARD_KEY_LENGTH));
  const master = decipher.update(sealed.subarray(0, CARD_KEY_LENGTH));
  try {
    decipher.final();
  } catch {
    throw new IssuerError(
      'WRONG_PASSPHRASE',
      `the passphrase does not open the ${name} master (or its file was changed); type it again`,
    );
  }
  return new Uint8Array(master);
}

function additionalData(name: MasterName, { logN, salt }: PassphraseCost): Buffer {
  return Buffer.from(`tollcast master 1 ${name} scrypt ${logN} ${Buffer.from(salt).toString('hex')}`);
}

function hexField(value: unknown, octets: number): Uint8Array | undefined {
  if (typeof value !== 'string' || value.length !== 2 * octets || !/^[0-9a-f]+$/.test(value)) return undefined;
  return new Uint8Array(Buffer.from(value, 'hex'));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
