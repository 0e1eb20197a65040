import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createStore } from '../../../../host/issuer/keys/key-store.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

const env = { ...process.env, TOLLCAST_PASSPHRASE: 'a passphrase for this test alone' };
const CONTENT = randomBytes(700_000);

let folder: string;
let to: readonly string[];
let sender: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-file-cli-'));
  await createStore(join(folder, '.tollcast', 'issuer'), 0x0a1b2c, env.TOLLCAST_PASSPHRASE, 14);
  await writeFile(join(folder, 'film.bin'), CONTENT);
  await mkdir(join(folder, 'got'));
  to = ['--address', `239.255.78.9:${await findFreePort()}`];
});

afterEach(async () => {
  if (sender?.exitCode === null && sender.signalCode === null) {
    sender.kill();
    await once(sender, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
});

const tollcast = (...args: readonly string[]) => runTollcast(args, { cwd: folder, env });
const watch = (...args: readonly string[]) =>
  tollcast('watch', ...to, '--card', 'soft:card', '--yes', '--json', ...args);

function send(...args: readonly string[]): ChildProcess {
  const all = [TOLLCAST, 'headend', 'send', '--file', 'film.bin', ...to, '--price', '0.25 USD/MB', ...args];
  sender = spawn(process.execPath, [...all, '--grant', '0a1b2c-02-00000007'], { cwd: folder, env, stdio: 'ignore' });
  return sender;
}

test('a file is sent until it is stopped, and who gets all of it ends with status 0; half of it with another', async () => {
  await tollcast('issuer', 'personalise', '--card', 'soft:card', '--serial', '7');
  await tollcast('issuer', 'load', '--card', 'soft:card', '--amount', '1 USD');
  const sending = send('--rate', '20000000');
  const whole = await watch('--out', 'got');
  expect(whole.stderr).toContain(`film.bin is whole, ${CONTENT.length} octets with the SHA-256 that was announced`);
  expect(whole.code).toBe(0);
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  const file = {
    name: 'film.bin',
    length: CONTENT.length,
    sha256,
    received: CONTENT.length,
    missing: 0,
    isComplete: true,
  };
  expect(JSON.parse(whole.stdout)).toMatchObject({ file, charged: Math.ceil((CONTENT.length + 50) / 4) });
  expect((await readFile(join(folder, 'got', 'film.bin'))).equals(CONTENT)).toBe(true);
  expect(sending.exitCode).toBeNull();

  // The next one is stopped in the middle of its pass, which takes 5.6 s.
  sending.kill();
  await once(sending, 'exit');
  const watching = watch('--out', 'half.bin');
  const slow = send('--rate', '1000000');
  await vi.waitFor(async () => expect(await readdir(folder)).toContain('half.bin.part'), { timeout: 20_000 });
  slow.kill();
  const half = await watching;
  expect(half.code).toBe(1);
  expect(half.stderr).toMatch(/film\.bin: \d+ of 700000 octets came, \d+ pieces are missing; start again with/);
  expect((await readdir(folder)).filter((name) => name.startsWith('half'))).toEqual([
    'half.bin.part',
    'half.bin.part.held',
  ]);
}, 60_000);

test.each([
  [['--source', 'film.bin', '--file', 'film.bin'], /name either --source, or --file/],
  [[], /name either --source, or --file/],
  [['--source', 'film.bin', '--passes', '2'], /name either --source, or --file/],
  [['--file', 'film.bin', '--mode', 'open'], /only mode sealed/],
])('what cannot be sent is refused: %j', async (args, message) => {
  const { code, stderr } = await tollcast('headend', 'send', ...args, ...to, '--price', 'free');
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
});
