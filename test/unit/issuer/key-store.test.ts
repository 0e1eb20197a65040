import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, assert, beforeEach, describe, expect, test } from 'vitest';
import { type MasterName, MASTERS } from '../../../apdu/decode-module/keys/card-keys.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { IssuerError } from '../../../host/issuer/issuer-error.ts';
import { createStore, KeyStore } from '../../../host/issuer/keys/key-store.ts';
import { parseMaster } from '../../../host/issuer/keys/master-file.ts';

const PASSPHRASE = 'correct horse battery';
/** The least cost that a store may have. */
const LOG_N = 14;

let root: string;
let store: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tollcast-key-store-'));
  store = join(root, 'deep', 'issuer');
  await createStore(store, 0x0a1b2c, PASSPHRASE, LOG_N);
});

afterEach(() => rm(root, { recursive: true, force: true }));

function open(name: MasterName, passphrase = PASSPHRASE): Promise<Uint8Array> {
  return new KeyStore(store, async () => passphrase).open(name);
}

async function expectRefusal(work: Promise<unknown>, code: string, message = /./): Promise<void> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert(error instanceof TollcastError, 'this was to be refused');
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain(PASSPHRASE);
}

describe('a new store', () => {
  test('has five different masters, each in a file of its own, that nobody else can read', async () => {
    const files = (await readdir(store)).toSorted();
    expect(files).toEqual([
      'accounts.sqlite',
      'load.key',
      'personalisation.key',
      'receipt.key',
      'unique.key',
      'uplink.key',
    ]);
    for (const file of files) expect((await stat(join(store, file))).mode & 0o777).toBe(0o600);
    expect((await stat(store)).mode & 0o777).toBe(0o700);
    const masters = await Promise.all(MASTERS.map((name) => open(name)));
    expect(masters.map((master) => master.length)).toEqual([16, 16, 16, 16, 16]);
    expect(new Set(masters.map(toHex)).size).toBe(5);
    // Nothing is left of the draft beside it.
    expect(await readdir(join(root, 'deep'))).toEqual(['issuer']);
  });

  test('opens one master where the others are not', async () => {
    const load = toHex(await open('load'));
    for (const name of MASTERS.filter((other) => other !== 'load')) await rm(join(store, `${name}.key`));
    expect(toHex(await open('load'))).toBe(load);
    await expectRefusal(open('unique'), 'NO_MASTER', /no unique master/);
  });

  test('asks for the passphrase once, and not before it is needed', async () => {
    let asked = 0;
    const keys = new KeyStore(store, async () => {
      asked++;
      return PASSPHRASE;
    });
    expect(asked).toBe(0);
    await keys.open('load');
    await Promise.all([keys.open('unique'), keys.open('receipt')]);
    expect(asked).toBe(1);
  });

  test('takes every spelling of the same passphrase', async () => {
    const other = join(root, 'other');
    await createStore(other, 1, 'Zauberflöte 1791', LOG_N);
    const keys = new KeyStore(other, async () => 'Zauberflöte 1791'.normalize('NFD'));
    expect(await keys.open('load')).toHaveLength(16);
  });

  test('has no master and no passphrase in clear in any file', async () => {
    const masters = await Promise.all(MASTERS.map((name) => open(name)));
    for (const file of await readdir(store)) {
      const octets = await readFile(join(store, file));
      expect(octets.includes(PASSPHRASE)).toBe(false);
      for (const master of masters) {
        expect(octets.includes(Buffer.from(master))).toBe(false);
        expect(octets.toString('latin1').toLowerCase()).not.toContain(toHex(master));
      }
    }
  });
});

describe('a store that is there', () => {
  test('is never written over', async () => {
    const before = await readFile(join(store, 'load.key'), 'utf8');
    await expectRefusal(createStore(store, 1, PASSPHRASE, LOG_N), 'STORE_EXISTS', /is kept/);
    expect(await readFile(join(store, 'load.key'), 'utf8')).toBe(before);
    expect(await readdir(join(root, 'deep'))).toEqual(['issuer']);
  });

  test('nor is another file in its place; an empty directory is taken', async () => {
    const file = join(root, 'file');
    await writeFile(file, 'kept');
    await expectRefusal(createStore(file, 1, PASSPHRASE, LOG_N), 'STORE_EXISTS');
    expect(await readFile(file, 'utf8')).toBe('kept');
    const empty = join(root, 'empty');
    await mkdir(empty);
    await createStore(empty, 1, PASSPHRASE, LOG_N);
    expect(await new KeyStore(empty, async () => PASSPHRASE).open('load')).toHaveLength(16);
  });

  test('does not open with another passphrase, and does not say what was typed', async () => {
    await expectRefusal(open('load', 'Tr0ub4dor&3'), 'WRONG_PASSPHRASE', /^(?!.*Tr0ub4dor)/);
  });

  test('does not take one master for another, though their passphrase is the same', async () => {
    const text = await readFile(join(store, 'receipt.key'), 'utf8');
    await writeFile(join(store, 'load.key'), text);
    await expectRefusal(open('load'), 'STORE_DAMAGED');
    await writeFile(join(store, 'load.key'), text.replace('"receipt"', '"load"'));
    await expectRefusal(open('load'), 'WRONG_PASSPHRASE');
  });

  test('is refused when others can read it', async () => {
    await chmod(join(store, 'load.key'), 0o640);
    await expectRefusal(open('load'), 'STORE_OPEN_TO_OTHERS', /chmod 600/);
  });

  test.each([
    ['nothing', () => ''],
    ['no JSON', () => 'master'],
    ['a list', () => '[]'],
    ['null', () => 'null'],
    ['too much', (text: string) => text + ' '.repeat(5000)],
    ['a cost that takes gigabytes', (text: string) => text.replace('"logN": 14', '"logN": 30')],
    ['a cost that is none', (text: string) => text.replace('"logN": 14', '"logN": 0.5')],
    ['another version', (text: string) => text.replace('"version": 1', '"version": 2')],
    ['a short nonce', (text: string) => text.replace(/"nonce": "../, '"nonce": "')],
  ])('is refused with %s in its file', async (_, change) => {
    const path = join(store, 'load.key');
    await writeFile(path, change(await readFile(path, 'utf8')));
    await expectRefusal(open('load'), 'STORE_DAMAGED');
  });

  test('is refused with one bit of it turned', async () => {
    const path = join(store, 'load.key');
    const text = await readFile(path, 'utf8');
    const flip = (digit: string) => (Number.parseInt(digit, 16) ^ 1).toString(16);
    await writeFile(
      path,
      text.replace(/("sealed": ".{4})(.)/, (_, head: string, digit: string) => head + flip(digit)),
    );
    await expectRefusal(open('load'), 'WRONG_PASSPHRASE');
  });
});

test('any text is either a sealed master or refused as damaged', async () => {
  const text = await readFile(join(store, 'load.key'), 'utf8');
  const changed = fc
    .tuple(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 20 }))
    .map(([at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), changed), (any) => {
      try {
        const { name, cost, nonce, sealed } = parseMaster('load', any);
        expect([name, cost.salt.length, nonce.length, sealed.length]).toEqual(['load', 16, 12, 32]);
        expect(cost.logN).toBeLessThanOrEqual(20);
      } catch (error) {
        expect(error).toBeInstanceOf(IssuerError);
      }
    }),
  );
});

test('a short passphrase and an issuer number that does not fit are refused, and leave nothing behind', async () => {
  const other = join(root, 'other');
  await expectRefusal(createStore(other, 1, '1234567', LOG_N), 'NO_PASSPHRASE');
  await expectRefusal(createStore(other, 0x100_0000, PASSPHRASE, LOG_N), 'OUT_OF_RANGE');
  expect((await readdir(root)).toSorted()).toEqual(['deep']);
});
