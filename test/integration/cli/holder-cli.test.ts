import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { openLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { type CardKind, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { KeyStore } from '../../../host/issuer/keys/key-store.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';
import { watch } from '../../support/issuer-fixture.ts';
import { type CliRun, runTollcast } from '../../support/tollcast-cli.ts';

const PASSPHRASE = 'a passphrase for this test alone';
/** Of the service that the fixture watches. */
const SERVICE = '5';

let directory: string;
let printed: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-holder-'));
  printed = '';
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function tollcast(args: readonly string[], pins: Record<string, string> = {}): Promise<CliRun> {
  const { TOLLCAST_PIN: _, TOLLCAST_NEW_PIN: __, ...rest } = process.env;
  const env = { ...rest, TOLLCAST_PASSPHRASE: PASSPHRASE, ...pins };
  const run = await runTollcast(args, { cwd: directory, env });
  printed += run.stdout + run.stderr;
  return run;
}

async function json(args: readonly string[], pins?: Record<string, string>): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await tollcast([...args, '--json'], pins);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function expectFailure(
  status: number,
  message: RegExp,
  args: readonly string[],
  pins?: Record<string, string>,
): Promise<void> {
  const { code, stdout, stderr } = await tollcast(args, pins);
  expect(stderr).toMatch(message);
  expect({ code, stdout }).toEqual({ code: status, stdout: '' });
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
}

/** An Ed25519 public key as PEM in a file, and its octets. */
async function publicKey(name: string): Promise<string> {
  const { publicKey: key } = generateKeyPairSync('ed25519');
  await writeFile(join(directory, name), key.export({ type: 'spki', format: 'pem' }));
  return Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url').toString('hex');
}

// Each test runs a dozen programs one after the other.
describe.each<CardKind>(['soft', 'jcardsim'])('on %s', { timeout: 120_000 }, (kind) => {
  let card: SimulatedCard | undefined;
  let at: string[];

  beforeEach(async () => {
    card = kind === 'soft' ? undefined : await startCard({ kind });
    at = ['--card', card?.address ?? `soft:${join(directory, 'card')}`];
    await json(['issuer', 'init', '--id', '0A1B2C']);
  });

  afterEach(async () => {
    await card?.close();
  });

  test('limits, PIN and verification keys are set by personalise, and changed later', async () => {
    const pem = await publicKey('headend.pem');
    const hex = 'ab'.repeat(32);
    const trust = ['--trust', '1=headend.pem', `7=${hex}`];
    const limits = ['--spend-limit', '5.00', '--rating', '12', '--pin-policy', 'rating'];
    await expectFailure(2, /needs a PIN; add --pin/, ['issuer', 'personalise', ...at, ...limits]);
    const made = await json(['issuer', 'personalise', ...at, ...limits, '--pin', ...trust], { TOLLCAST_PIN: '1234' });
    expect(made).toMatchObject({ spendLimit: 5_000_000, ratingLimit: 12, pinPolicy: 'rating', trust: [1, 7] });
    expect(await json(['card', 'info', ...at])).toMatchObject({
      class: kind === 'soft' ? 'soft' : 'card',
      spendLimit: 5_000_000,
      creditLimit: 0,
      ratingLimit: 12,
      pinPolicy: 'rating',
      pinTries: 3,
      maxSpan: 208,
      trust: [
        { id: 1, key: pem },
        { id: 7, key: hex },
      ],
    });

    // What is not named stays, also what the holder changed.
    await json(['card', 'spend-limit', ...at, '7.50'], { TOLLCAST_PIN: '1234' });
    expect(await json(['issuer', 'limits', ...at, '--rating', '16'])).toMatchObject({
      spendLimit: 7_500_000,
      ratingLimit: 16,
      pinPolicy: 'rating',
    });
    expect(await json(['issuer', 'limits', ...at, '--spend-limit', 'none'])).toMatchObject({
      spendLimit: null,
      ratingLimit: 16,
    });
    await expectFailure(2, /nothing to change/, ['issuer', 'limits', ...at]);
    await expectFailure(5, /2 tries are left/, ['card', 'spend-limit', ...at, '1.00'], { TOLLCAST_PIN: '9999' });
    expect((await tollcast(['card', 'info', ...at])).stdout).toMatch(
      /\nlimits {4}spend a day none; credit 0\.00 USD\nrating {4}content for ages to 16; the PIN lifts it\nPIN {7}set, 2 tries left\n/,
    );

    expect(await json(['issuer', 'trust', ...at, '--place', '0', '--empty'])).toMatchObject({
      trust: [{ id: 7, key: hex }],
    });
    expect(await json(['issuer', 'trust', ...at, '--place', '3', '--trust', '9=headend.pem'])).toMatchObject({
      trust: [
        { id: 7, key: hex },
        { id: 9, key: pem },
      ],
    });
    await expectFailure(2, /either a key for the place/, ['issuer', 'trust', ...at, '--place', '3']);
    await expectFailure(2, /cannot be read/, ['issuer', 'trust', ...at, '--place', '3', '--trust', '9=none.pem']);
    await writeFile(join(directory, 'rsa.pem'), 'PUBLIC KEY');
    await expectFailure(2, /no Ed25519 public key/, ['issuer', 'trust', ...at, '--place', '3', '--trust', '9=rsa.pem']);
    await writeFile(join(directory, 'own.key'), '-----BEGIN PRIVATE KEY-----');
    const hint = /own.key holds a private key; keep it secret, .* -in own.key -pubout -out headend.pem/;
    await expectFailure(2, hint, ['issuer', 'trust', ...at, '--place', '3', '--trust', '9=own.key']);
  });

  test('the holder changes the PIN, mistakes block it, the issuer gives a new one', async () => {
    await json(['issuer', 'personalise', ...at]);
    await expectFailure(5, /has no PIN; ask the issuer/, ['card', 'spend-limit', ...at, '1.00'], {
      TOLLCAST_PIN: '1234',
    });
    await expectFailure(5, /use a terminal, --pin-file FILE/, ['issuer', 'pin', ...at]);
    await writeFile(join(directory, 'pin'), '1234\n');
    await json(['issuer', 'pin', ...at, '--pin-file', 'pin']);
    await json(['card', 'pin', ...at, '--pin-file', 'pin'], { TOLLCAST_NEW_PIN: '98765' });
    await expectFailure(5, /wrong PIN, 2 tries are left/, ['card', 'spend-limit', ...at, '1', '--pin-file', 'pin']);
    await expectFailure(5, /wrong PIN, one try is left/, ['card', 'pin', ...at, '--pin-file', 'pin'], {
      TOLLCAST_NEW_PIN: '1111',
    });
    await expectFailure(5, /blocked now; ask the issuer/, ['card', 'spend-limit', ...at, '1', '--pin-file', 'pin']);
    await expectFailure(5, /the PIN is blocked; ask/, ['card', 'spend-limit', ...at, '1'], { TOLLCAST_PIN: '98765' });
    await json(['issuer', 'pin', ...at], { TOLLCAST_PIN: '2468' });
    expect(await json(['card', 'spend-limit', ...at, '2.00 USD'], { TOLLCAST_PIN: '2468' })).toMatchObject({
      spendLimit: 2_000_000,
    });
    expect(printed).not.toMatch(/98765|2468/);
  });

  test('a line of credit is used, logged, kept in the accounts and lowered again', async () => {
    const { card: id } = await json(['issuer', 'personalise', ...at]);
    const limit = await json(['issuer', 'credit-limit', ...at, '--amount', '3.00 USD']);
    expect(limit).toMatchObject({ creditLimit: 3_000_000, balance: 0, repeated: false });
    const channel = await openCard(at[1]!, { wait: true, signal: AbortSignal.timeout(10_000) });
    const store = new KeyStore(join(directory, '.tollcast/issuer'), async () => PASSPHRASE);
    await watch(new DecodeModule(channel), await store.open('unique'), parseCardId(String(id)), [1_000_000]);
    await new DecodeModule(channel).closeSession();
    await channel.close();

    expect(await json(['issuer', 'show', ...at])).toMatchObject({ balance: -250_000, creditLimit: 3_000_000 });
    expect((await tollcast(['card', 'info', ...at])).stdout).toContain('balance   -0.25 USD of at most');
    const { records } = (await json(['card', 'log', ...at])) as { records: Record<string, unknown>[] };
    expect(records[0]).toMatchObject({ balance: -250_000, receiptsWritten: 1, service: null });
    expect(records.at(-1)).toMatchObject({ sequence: 1, creditLimit: 0, loadWas: null });
    const { stdout } = await tollcast(['card', 'log', ...at, '--last', '4']);
    expect(stdout).toMatch(/credit limit 3\.00 USD/);
    expect(stdout).toMatch(/closed: spent 0\.25 USD on service 5/);

    await json(['issuer', 'load', ...at, '--amount', '1 USD']);
    expect(await json(['issuer', 'credit-limit', ...at, '--amount', '0 USD'])).toMatchObject({
      creditLimit: 0,
      balance: 750_000,
    });
    expect(await json(['issuer', 'show', ...at])).toMatchObject({ loads: 1, loaded: 1_000_000, creditLimit: 0 });
  });

  test('leaves a purchase for good after a confirmation', async () => {
    const { card: id } = await json(['issuer', 'personalise', ...at]);
    await json(['issuer', 'load', ...at, '--amount', '1 USD']);
    const channel = await openCard(at[1]!, { wait: true, signal: AbortSignal.timeout(10_000) });
    const store = new KeyStore(join(directory, '.tollcast/issuer'), async () => PASSPHRASE);
    await watch(new DecodeModule(channel), await store.open('unique'), parseCardId(String(id)), [1_000_000]);
    await channel.close();
    const leave = ['card', 'leave', ...at, SERVICE, '1'];
    await expectFailure(1, /cannot be taken back; nothing was done: add --yes/, leave);
    await expectFailure(6, /no purchase 2 of service 5/, ['card', 'leave', ...at, SERVICE, '2', '--yes']);
    const ending = ['--at', '2030-01-01T00:00:00Z', '--yes', '--out', 'leave.hex'];
    const { record } = await json([...leave, ...ending]);
    expect((await readFile(join(directory, 'leave.hex'), 'utf8')).trim()).toBe(record);
    expect((await stat(join(directory, 'leave.hex'))).mode & 0o777).toBe(0o600);
    const uplink = deriveCardKey(await store.open('uplink'), 'uplink', parseCardId(String(id)));
    expect(openLeaveRecord(fromHex(String(record)), uplink)).toMatchObject({
      service: 5,
      keyId: 1,
      to: Date.UTC(2030, 0) / 1000,
    });
    await expectFailure(2, /ends before that anyhow/, [...leave, '--at', '2031-01-01', '--yes']);
    await expectFailure(2, /is not a time; write it as/, [...leave, '--at', 'tomorrow', '--yes']);
    await expectFailure(2, /ends at once; leave out --at/, [...leave, '--at', '2029-01-01', '--delete', '--yes']);
    await expectFailure(6, /no purchase 1 of service 5/, [...leave, '--kind', 'segment', '--yes']);
    expect(await json([...leave, '--delete', '--yes'])).toMatchObject({ service: 5, key: 1, deleted: true });
    await expectFailure(6, /no purchase 1 of service 5/, [...leave, '--yes']);
  });

  test('a terminated card still shows its purse and gives its receipts', async () => {
    await json(['issuer', 'personalise', ...at]);
    await json(['issuer', 'load', ...at, '--amount', '5.00 USD']);
    await expectFailure(1, /nothing was done; to end the card for good add --yes/, ['issuer', 'terminate', ...at]);
    expect(await json(['issuer', 'show', ...at])).toMatchObject({ life: 'active' });
    expect(await json(['issuer', 'terminate', ...at, '--yes'])).toMatchObject({ life: 'terminated' });
    expect(await json(['issuer', 'collect', ...at])).toMatchObject({ receipts: [] });
    expect(await json(['issuer', 'show', ...at])).toMatchObject({ life: 'terminated', balance: 5_000_000 });
    expect(await json(['card', 'info', ...at])).toMatchObject({ life: 'terminated', balance: 5_000_000 });
    const { records } = await json(['card', 'log', ...at, '--last', '1']);
    expect(records).toMatchObject([{ loadAmount: 5_000_000 }]);
    expect((await tollcast(['card', 'log', ...at, '--last', '1'])).stdout).toContain('loaded 5.00 USD');
    await expectFailure(6, /is terminated; use another card/, ['issuer', 'load', ...at, '--amount', '1.00 USD']);
  });

  test('the keys of the secure channel are replaced, and put back', async () => {
    await json(['issuer', 'personalise', ...at]);
    const key = (octet: string) => octet.repeat(16);
    const set = { version: 5, enc: key('11'), mac: key('22'), dek: key('33') };
    await writeFile(join(directory, 'set.json'), JSON.stringify(set));
    await json(['issuer', 'keys', ...at, '--to', 'set.json']);
    await expectFailure(6, /holds other keys.*--keys FILE/, ['issuer', 'block', ...at]);
    expect(await json(['issuer', 'block', ...at, '--keys', 'set.json'])).toMatchObject({ life: 'blocked' });
    await json(['issuer', 'keys', ...at, '--keys', 'set.json']);
    expect(await json(['issuer', 'unblock', ...at])).toMatchObject({ life: 'active' });
  });
});
