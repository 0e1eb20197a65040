import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createStore } from '../../../../host/issuer/keys/key-store.ts';
import { type CliRun, runTollcast } from '../../../support/tollcast-cli.ts';

const PASSPHRASE = 'a passphrase for this test alone';
const CARD = ['--card', 'soft:card'];

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-remote-'));
  await createStore(join(folder, '.tollcast', 'issuer'), 0x0a1b2c, PASSPHRASE, 14);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function tollcast(...args: readonly string[]): Promise<CliRun> {
  return runTollcast(args, { cwd: folder, env: { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE } });
}

async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await tollcast(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('a load by files: a file that cannot be written is asked for again, and nothing is loaded twice', async () => {
  await json('issuer', 'personalise', ...CARD, '--serial', '7');
  const card = '0a1b2c-02-00000007';
  expect(await json('card', 'request-load', 'request', ...CARD)).toEqual({ card, request: 'request' });
  expect(await tollcast('card', 'request-load', 'none/request', ...CARD)).toMatchObject({
    code: 1,
    stderr: 'tollcast: none/request cannot be written; name one in a folder where you may write\n',
  });
  await writeFile(join(folder, 'taken'), 'something of mine');
  const lost = await tollcast('issuer', 'answer-load', 'request', 'taken', '--amount', '3 USD');
  expect(lost).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/taken is there and holds/) as string,
  });
  expect(await readFile(join(folder, 'taken'), 'utf8')).toBe('something of mine');
  const order = ['issuer', 'answer-load', 'request', 'order', '--amount', '3 USD'];
  expect(await json(...order)).toMatchObject({ card, kind: 'load', amount: 3_000_000, repeated: true });

  const other = await tollcast('issuer', 'answer-load', 'request', 'order', '--amount', '4 USD');
  expect(other.code).toBe(1);
  expect(other.stderr).toMatch(/an earlier load of 3\.00 USD is still open, and order holds that one/);

  expect((await tollcast('card', 'take-load', 'order', 'taken', ...CARD)).code).toBe(1);
  const carried = { card, proof: 'proof', balance: 3_000_000 };
  expect(await json('card', 'take-load', 'order', 'proof', ...CARD)).toEqual(carried);
  expect(await json('card', 'take-load', 'order', 'proof', ...CARD)).toEqual(carried);
  expect(await json('issuer', 'take-proof', 'proof')).toMatchObject({ card, number: 1, repeated: false });
  const stale = await tollcast(...order);
  expect(stale).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/ask anew: tollcast card request-load/) as string,
  });
  expect(await json('issuer', 'show', ...CARD)).toMatchObject({ balance: 3_000_000, loads: 1 });
  const none = await tollcast('card', 'send-receipts', 'receipts', ...CARD);
  expect(none).toMatchObject({ code: 6, stdout: '' });
  const wrong = await tollcast('issuer', 'take-receipts', 'proof', 'acknowledgement');
  expect(wrong.stderr).toMatch(/proof holds a load proof, not receipts; name a file of: tollcast card send-receipts/);
}, 60_000);
