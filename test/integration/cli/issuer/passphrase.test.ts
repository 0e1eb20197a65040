import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createStore } from '../../../../host/issuer/keys/key-store.ts';
import { type CliRun, runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

const PASSPHRASE = 'a passphrase for this test alone';

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-passphrase-'));
  await createStore(join(folder, 'store'), 0x0a1b2c, PASSPHRASE, 14);
  const { TOLLCAST_PASSPHRASE: _, CREDENTIALS_DIRECTORY: __, ...rest } = process.env;
  env = rest;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Makes a card, which needs the passphrase. */
async function personalise(options: readonly string[] = [], more: NodeJS.ProcessEnv = {}): Promise<CliRun> {
  const args = ['issuer', 'personalise', '--store', 'store', '--card', 'soft', ...options];
  return runTollcast(args, { cwd: folder, env: { ...env, ...more } });
}

test('the passphrase comes from a file, which nobody else may read', async () => {
  const file = join(folder, 'secret');
  await writeFile(file, `${PASSPHRASE}\n`, { mode: 0o600 });
  expect(await personalise(['--passphrase-file', file])).toMatchObject({ code: 0, stderr: '' });
  // What is named goes before what stands in the environment.
  const other = { TOLLCAST_PASSPHRASE: 'another one altogether' };
  expect(await personalise(['--passphrase-file', file], other)).toMatchObject({ code: 0 });
  await chmod(file, 0o640);
  const open = await personalise(['--passphrase-file', file]);
  expect(open).toMatchObject({ code: 2, stdout: '' });
  expect(open.stderr).toContain(`others may read ${file}; type: chmod 600 ${file}`);
  for (const [text, message] of [
    ['', /is empty/],
    ['x'.repeat(5000), /too long/],
  ] as const) {
    await writeFile(file, text, { mode: 0o600 });
    await chmod(file, 0o600);
    const { code, stderr } = await personalise(['--passphrase-file', file]);
    expect({ code, message: stderr }).toEqual({ code: 2, message: expect.stringMatching(message) as string });
  }
  expect((await personalise(['--passphrase-file', 'nowhere'])).stderr).toMatch(/nowhere cannot be read/);
});

test('the passphrase comes through a pipe, as of a password manager', async () => {
  const command = `${process.execPath} ${TOLLCAST} issuer personalise --store store --card soft --passphrase-file <(echo '${PASSPHRASE}')`;
  const { stdout } = await promisify(execFile)('bash', ['-c', command], { cwd: folder, env });
  expect(stdout).toMatch(/is personalised/);
});

test('the passphrase is a credential that systemd hands in', async () => {
  const credentials = join(folder, 'credentials');
  await mkdir(credentials);
  // Another service's credential is of no use.
  expect((await personalise([], { CREDENTIALS_DIRECTORY: credentials })).stderr).toMatch(/no passphrase was typed/);
  await writeFile(join(credentials, 'tollcast-passphrase'), PASSPHRASE, { mode: 0o400 });
  expect(await personalise([], { CREDENTIALS_DIRECTORY: credentials })).toMatchObject({ code: 0, stderr: '' });
});

// Where the kernel keeps no keys for this user, as in some containers, nothing can be said about them.
const hasKeyring = spawnSync('keyctl', ['show', '@u']).status === 0;

test.skipIf(!hasKeyring)('the passphrase is a key of the keyring', async () => {
  const name = `tollcast-test-${process.pid}`;
  const key = execFileSync('keyctl', ['padd', 'user', name, '@u'], { input: PASSPHRASE, encoding: 'utf8' }).trim();
  try {
    expect(await personalise(['--passphrase-key', name])).toMatchObject({ code: 0, stderr: '' });
  } finally {
    execFileSync('keyctl', ['unlink', key, '@u']);
  }
  const { code, stderr } = await personalise(['--passphrase-key', `${name}-other`]);
  expect(code).toBe(2);
  expect(stderr).toContain(`keyctl padd user ${name}-other @u`);
});

test('the store gets a new passphrase, and is backed up and restored by commands', async () => {
  const next = 'a new passphrase for this test';
  const at = ['--store', 'store', '--json'];
  const run = async (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runTollcast(args, { cwd: folder, env: { ...env, ...more } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const contents = { issuer: '0a1b2c', cards: 0, orders: 0, receipts: 0 };
  expect(await run(['issuer', 'backup', 'copy', ...at])).toEqual({ directory: 'copy', ...contents });
  const both = { TOLLCAST_PASSPHRASE: PASSPHRASE, TOLLCAST_NEW_PASSPHRASE: next };
  expect(await run(['issuer', 'passphrase', ...at], both)).toMatchObject({ store: 'store' });
  expect((await personalise([], { TOLLCAST_PASSPHRASE: PASSPHRASE })).stderr).toMatch(/does not open/);
  expect(await personalise([], { TOLLCAST_PASSPHRASE: next })).toMatchObject({ code: 0 });
  expect(await run(['issuer', 'restore', 'copy', '--store', 'restored', '--json'])).toEqual({
    store: 'restored',
    ...contents,
    grantNumber: 0,
  });
  const { code, stderr } = await runTollcast(['issuer', 'restore', 'copy', ...at], { cwd: folder, env });
  expect(code).toBe(1);
  expect(stderr).toContain('1 cards, 0 orders, 0 receipts');
});
