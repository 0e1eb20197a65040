import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCard } from '../../../card-sim/index.ts';
import { openSoftCard } from '../../../host/transport/card/soft/soft-card.ts';
import { type CliRun, runTollcast } from '../../support/tollcast-cli.ts';

const CARD = 'soft:card';
/** For tests that run a dozen programs one after the other. */
const SLOW = { timeout: 120_000 };

let directory: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-exit-'));
  env = { ...process.env, TOLLCAST_PASSPHRASE: 'only for this test' };
  await succeed('issuer', 'init');
  await succeed('issuer', 'personalise', '--card', CARD);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

function tollcast(words: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<CliRun> {
  return runTollcast(words, { cwd: directory, env: { ...env, ...more } });
}

async function succeed(...words: string[]): Promise<void> {
  expect(await tollcast(words)).toMatchObject({ code: 0, stderr: '' });
}

/** Expects the exit status and, with --json, one line of JSON that names it. */
async function expectFailure(
  [status, code]: readonly [number, string],
  words: readonly string[],
  more?: NodeJS.ProcessEnv,
): Promise<void> {
  const plain = await tollcast(words, more);
  expect(plain).toMatchObject({
    code: status,
    stdout: '',
    stderr: expect.stringMatching(/^tollcast: .*\n$/) as unknown,
  });
  const run = await tollcast([...words, '--json'], more);
  expect(run).toMatchObject({ code: status, stdout: '' });
  const message = plain.stderr.slice('tollcast: '.length, -1);
  expect(JSON.parse(run.stderr)).toEqual({ error: { code, message, exitStatus: status } });
}

test.each<[string, string[]]>([
  ['STORE_EXISTS', ['issuer', 'init']],
  ['NO_STORE', ['issuer', 'load', '--card', CARD, '--amount', '1 USD', '--store', 'none']],
  ['SYSTEM', ['issuer', 'init', '--store', '/dev/null/store']],
])('1, %s: %j', (code, words) => expectFailure([1, code], words));

test.each<[string, string[]]>([
  ['USAGE', ['card', 'info', '--cart', 'soft']],
  ['USAGE', ['crad']],
  ['INPUT', ['issuer', 'load', '--card', CARD, '--amount', '10']],
  ['INPUT', ['card', 'spend-limit', '1,50', '--card', CARD]],
  ['INPUT', ['card', 'apdu', '00A4', '--card', CARD]],
  ['OUT_OF_RANGE', ['card', 'log', '--last', '65', '--card', CARD]],
])('2, %s: %j', (code, words) => expectFailure([2, code], words, { TOLLCAST_PIN: '1234' }));

test('2: a group of commands without a command shows its help', async () => {
  const { code, stdout, stderr } = await tollcast(['card']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^Usage: tollcast card .*\ntollcast: no command is named; write one of those above\n$/s);
});

test.each([
  ['NO_SOFT_CARD', 'soft:none'],
  ['TCP_UNREACHABLE', 'tcp:127.0.0.1:1'],
])('3, %s: there is no card %s', (code, card) => expectFailure([3, code], ['card', 'info', '--card', card]));

test('4: another program uses the card', async () => {
  const channel = await openSoftCard(join(directory, 'card'), false);
  try {
    await expectFailure([4, 'CARD_IN_USE'], ['card', 'info', '--card', CARD]);
  } finally {
    await channel.close();
  }
});

test('5: no PIN, none that the card has, a wrong one, one wrong once too often', SLOW, async () => {
  const spend = ['card', 'spend-limit', '5.00', '--card', CARD];
  await expectFailure([5, 'PIN_NOT_GIVEN'], spend);
  await expectFailure([5, 'NO_PIN'], spend, { TOLLCAST_PIN: '1234' });
  expect(await tollcast(['issuer', 'pin', '--card', CARD], { TOLLCAST_PIN: '1234' })).toMatchObject({ code: 0 });
  expect(await tollcast(spend, { TOLLCAST_PIN: '9999' })).toMatchObject({ code: 5 });
  const wrong = await tollcast([...spend, '--json'], { TOLLCAST_PIN: '9999' });
  expect(wrong.code).toBe(5);
  expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: 'WRONG_PIN', exitStatus: 5 } });
  expect(await tollcast(spend, { TOLLCAST_PIN: '9999' })).toMatchObject({ code: 5 });
  await expectFailure([5, 'PIN_BLOCKED'], spend, { TOLLCAST_PIN: '1234' });
});

test('6: the card refuses, by its word or by its state', SLOW, async () => {
  await expectFailure([6, 'UNKNOWN_KEY'], ['card', 'leave', '5', '2', '--yes', '--card', CARD]);
  await expectFailure([6, 'NOT_BLANK'], ['issuer', 'personalise', '--card', CARD]);
  await expectFailure([6, 'CARD_NOT_ACTIVE'], ['card', 'log', '--card', 'soft']);
});

test('7: the card is pulled, or its runner is killed, in the middle of a command', SLOW, async () => {
  for (const lose of ['pull', 'close'] as const) {
    await using card = await startCard({ kind: 'jcardsim' });
    await succeed('issuer', 'personalise', '--card', card.address);
    const run = tollcast(['card', 'bench', '--card', card.address, '--seconds', '60', '--json']);
    const before = (await card.counts()).commands;
    while ((await card.counts()).commands < before + 50) await sleep(20);
    await card[lose]();
    const { code, stdout, stderr } = await run;
    expect({ code, stdout }, lose).toEqual({ code: 7, stdout: '' });
    expect(JSON.parse(stderr), lose).toMatchObject({ error: { code: 'CARD_GONE', exitStatus: 7 } });
  }
});
