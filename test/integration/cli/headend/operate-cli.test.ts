import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';
import { runTollcast } from '../../../support/tollcast-cli.ts';

/** Each command of operators, as they type it, against a head-end that runs. */
const SERVICE = 7;
const ROWS = 3;
let fixture: HeadendFixture;
let viewer: SoftViewer;
let session: Record<string, unknown>;
let card: string;
let token = '';

beforeAll(async () => {
  session = {
    name: 'main',
    source: 'memory',
    format: 'data',
    rate: 10_000,
    address: `239.255.7.9:${await findFreePort()}`,
  };
  fixture = await startHeadend([service(SERVICE, session)], {
    openSource: async () => sourceOf([new Uint8Array(1_000_000)]),
  });
  const { directory, port } = fixture;
  const config = { listen: `127.0.0.1:${port}`, state: 'state', issuer: 'issuer', services: [] };
  await writeFile(join(directory, 'tv.json'), JSON.stringify(config));
  viewer = await SoftViewer.start(1, 0n);
  card = formatCardId(viewer.cardId);
});

afterAll(async () => {
  await viewer.close();
  await fixture[Symbol.asyncDispose]();
});

const service = (number: number, ...sessions: object[]) => ({
  number,
  name: `Channel ${number}`,
  price: { content: { price: '5.00 USD/h', settlement: 'invoice' } },
  sessions,
});

/** Runs a command of operators. @returns what it prints; nothing for a change. */
async function operate(...words: string[]): Promise<Record<string, unknown>> {
  const env = { ...process.env, ...(token !== '' && { TOLLCAST_OPERATOR_TOKEN: token }) };
  const run = await runTollcast(['headend', ...words, '--config', 'tv.json'], { cwd: fixture.directory, env });
  if (run.code !== 0) throw new Error(`${run.code}: ${run.stderr}`);
  return run.stdout.startsWith('{') ? (JSON.parse(run.stdout) as Record<string, unknown>) : { said: run.stdout };
}

async function define(name: string, definition: object): Promise<string> {
  await writeFile(join(fixture.directory, name), JSON.stringify(definition));
  return name;
}

async function ask(kind: 'join' | 'keyRequest'): Promise<string> {
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  const from = Math.floor(Date.now() / 1000);
  const to = kind === 'join' ? from + 600 : 0;
  const answer = await viewer.request(fixture, kind, { service: SERVICE, offer: offers[0]!.id, from, to });
  return typeof answer === 'string' ? answer : answer.outcome;
}

const sessionsOf = async () =>
  ((await operate('service', 'list'))['services'] as { definition: { number: number; sessions: { name: string }[] } }[])
    .map(({ definition }) => `${definition.number}: ${definition.sessions.map(({ name }) => name).join(' ')}`)
    .toSorted();
const members = async () => JSON.stringify(await operate('member', 'list', String(SERVICE), 'main'));

test('member list, remove, block and unblock: a stolen card is off by one command', { timeout: 120_000 }, async () => {
  expect(await ask('join')).toBe('joined');
  expect(await members()).toContain(card);
  await operate('member', 'remove', String(SERVICE), 'main', card);
  expect(await members()).not.toContain(card);
  // It may join again, as it is not blocked.
  expect(await ask('keyRequest')).toBe('not-joined');
  expect(await ask('join')).toBe('joined');
  await operate('member', 'block', card);
  expect(await members()).not.toContain(card);
  expect(await ask('join')).toBe('blocked-card');
  await operate('member', 'unblock', card);
  expect(await ask('join')).toBe('joined');
});

test('log and bills show what cards asked for and what it came to', { timeout: 60_000 }, async () => {
  const [log, short, others, bills] = await Promise.all([
    operate('log', '--card', card),
    operate('log', '--limit', '1'),
    operate('log', '--card', '0a1b2c-02-00000002'),
    operate('bills'),
  ]);
  const rows = log['log'] as { card: string; kind: string; outcome: string; service: number; segment: number | null }[];
  expect(rows.filter(({ outcome }) => outcome === 'joined')).toHaveLength(ROWS);
  for (const row of rows) expect([row.card, row.service]).toEqual([card, SERVICE]);
  expect(short['log']).toEqual([rows[0]]);
  expect(others['log']).toEqual([]);
  // Both that ended; the third goes on.
  expect(bills['bills']).toMatchObject([
    { user: card, isClosed: true },
    { user: card, isClosed: true },
  ]);
});

test(
  'session put and remove, service put and remove: what is sold changes as it runs',
  { timeout: 120_000 },
  async () => {
    const second = { ...session, name: 'second', address: `239.255.7.10:${await findFreePort()}` };
    await operate('session', 'put', String(SERVICE), await define('second.json', second));
    expect(await sessionsOf()).toEqual(['7: main second']);
    await operate('session', 'remove', String(SERVICE), 'second');
    const other = service(8, { ...session, address: `239.255.7.11:${await findFreePort()}` });
    await operate('service', 'put', await define('other.json', other));
    expect(await sessionsOf()).toEqual(['7: main', '8: main']);
    const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { name: string }[] };
    expect(offers.map(({ name }) => name).toSorted()).toEqual(['Channel 7', 'Channel 8']);
    await operate('service', 'remove', '8');
    expect(await sessionsOf()).toEqual(['7: main']);
    // What is not there is told, and what to do.
    await expect(operate('service', 'remove', '8')).rejects.toThrow(/list them first/);
    await expect(operate('session', 'remove', '7', 'second')).rejects.toThrow(/list them first/);
    await expect(operate('member', 'remove', '7', 'main', '0a1b2c-02-00000009')).rejects.toThrow(/list them first/);
  },
);

test(
  'operator add and remove: who signs in is named in the log of changes, and so are these',
  { timeout: 60_000 },
  async () => {
    token = String((await operate('operator', 'add', 'ann'))['said']).trim();
    expect(token).toMatch(/^[\w-]{43}$/);
    await operate('service', 'put', await define('dearer.json', { ...service(SERVICE, session), name: 'Ann and Co' }));
    const { changes } = (await operate('changes')) as {
      changes: { operator: string; action: string; subject: string }[];
    };
    const told = changes.map(({ operator, action, subject }) => `${operator}: ${action} ${subject}`).toReversed();
    expect(told).toEqual([
      'configuration: put service 7',
      'owner: add operator operator',
      `operator: take off card ${card}, service 7, session main`,
      `operator: block card ${card}`,
      `operator: unblock card ${card}`,
      'operator: put service 7',
      'operator: put service 7',
      'operator: put service 8',
      'operator: remove service 8',
      'owner: add operator ann',
      'ann: put service 7',
    ]);
    await operate('operator', 'remove', 'ann');
    await expect(operate('service', 'list')).rejects.toThrow(/This is for operators/);
    token = '';
    await expect(operate('operator', 'remove', 'ann')).rejects.toThrow(/no operator ann/);
    // The database knows no token, and what was logged has none.
    const first = (await readFile(join(fixture.directory, 'state/operator.token'), 'utf8')).trim();
    const kept = await readFile(join(fixture.directory, 'state/headend.sqlite'), 'latin1');
    for (const secret of [first, 'Bearer']) expect(JSON.stringify(fixture.log) + kept).not.toContain(secret);
  },
);

test('backup: the copy of a head-end that runs is whole, and serves in its place', { timeout: 60_000 }, async () => {
  const { directory } = fixture;
  const copied = new AbortController();
  const asking = (async () => {
    const outcomes: string[] = [];
    while (!copied.signal.aborted) outcomes.push(await ask('keyRequest'));
    return outcomes;
  })();
  await operate('backup', 'copy.sqlite');
  copied.abort();
  expect(new Set(await asking)).toEqual(new Set(['keys']));
  await expect(operate('backup', 'copy.sqlite')).rejects.toThrow(/is there already/);
  await fixture.stop();
  await writeFile(join(directory, 'state/headend.sqlite'), await readFile(join(directory, 'copy.sqlite')));
  for (const name of ['-wal', '-shm']) await rm(join(directory, `state/headend.sqlite${name}`), { force: true });
  await fixture.start();
  expect(await members()).toContain(card);
  expect(await ask('keyRequest')).toBe('keys');
  await using store = await openHeadendStore(join(directory, 'state'));
  const rows = await store.selectFrom('requestLog').select('outcome').execute();
  expect(rows.filter(({ outcome }) => outcome === 'joined')).toHaveLength(ROWS);
});
