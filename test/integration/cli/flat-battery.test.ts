import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { startCard } from '../../../card-sim/index.ts';
import { parseAnswer } from '../../../host/contract/answers/answer.ts';
import { KeyStore } from '../../../host/issuer/keys/key-store.ts';
import { openHeadendStore } from '../../../host/store/headend/headend-store.ts';
import { BrokenCard } from '../../support/broken-card.ts';
import { findFreeTcpPort } from '../../support/headend-fixture.ts';
import { readGroup, takeApart, tryRecording } from '../../support/recording.ts';
import { ServiceCapture } from '../../support/service-capture.ts';
import { runTollcast, TOLLCAST } from '../../support/tollcast-cli.ts';

/** A flat battery: a watch that is killed, under a head-end and beside a watch that goes on. All of it real. */
const PASSPHRASE = 'a passphrase of tests';
const SERVICE = 7;
/** Seconds: the shortest join that can be sold. */
const JOIN = 20;
/** 5.00 USD an hour, in micro-units. */
const HOUR_PRICE = 5_000_000;
/** ms for which something is waited for. */
const PATIENCE = 60_000;

/** A program that runs. */
interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

interface BillRow {
  readonly user: string;
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly amount: string;
  readonly isClosed: boolean;
}

interface LogRow {
  readonly kind: string;
  readonly outcome: string;
  readonly from: number;
  readonly to: number;
}

let folder: string;
let env: NodeJS.ProcessEnv;
let capture: ServiceCapture;
let headEnd: string;
const children: ChildProcess[] = [];

/** Runs a command that must succeed, and reads what it prints. */
async function tollcast(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTollcast(args, { cwd: folder, env });
  expect(code, stderr).toBe(0);
  return stdout;
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, [TOLLCAST, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { child, said: () => said, ended: once(child, 'close').then(([code]) => code as number | null) };
}

function watch(card: string, ...more: string[]): Running {
  const at = ['--head-end', headEnd, '--card', `soft:${card}`, '--out', `udp://127.0.0.1:9`];
  return start('watch', 'Harbour', ...at, '--yes', ...more);
}

async function waitFor<T>(
  what: string | (() => string),
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (const begun = Date.now(); Date.now() - begun < PATIENCE; await sleep(50)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`${typeof what === 'string' ? what : what()} did not come`);
}

const plays = (run: Running) =>
  waitFor(
    () => `a picture (${run.said()})`,
    () => (run.said().includes('first plaintext') ? true : undefined),
  );
const askHeadEnd = async (...args: string[]) =>
  JSON.parse(await tollcast('headend', ...args, '--config', 'headend.json')) as Record<string, unknown>;
const logOf = async (card: string) => (await askHeadEnd('log', '--card', card))['log'] as LogRow[];
const billsOf = async (card: string) =>
  ((await askHeadEnd('bills'))['bills'] as BillRow[]).filter(({ user }) => user === card);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-battery-'));
  env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  capture = await ServiceCapture.start({ reuseAddr: true });
  const port = await findFreeTcpPort();
  headEnd = `https://127.0.0.1:${port}`;
  await writeFile(join(folder, 'clip.data'), Buffer.alloc(100_000, 7));
  await tollcast('issuer', 'init', '--id', '4b455a');
  const session = {
    name: 'main',
    source: 'clip.data',
    format: 'data',
    rate: 200_000,
    repeat: true,
    address: `${capture.address}:${capture.port}`,
    keys: { period: 3600, grace: 0 },
  };
  const service = {
    number: SERVICE,
    name: 'Harbour',
    price: { content: { price: '5.00 USD/h', settlement: 'invoice' } },
    join: { length: JOIN },
    sessions: [session],
  };
  const announce = { address: `239.255.${process.pid & 0xff}.248` };
  const config = { listen: `127.0.0.1:${port}`, state: 'state', issuer: '.tollcast/issuer', announce };
  await writeFile(join(folder, 'headend.json'), JSON.stringify({ ...config, services: [service] }));
  const server = start('headend', 'serve', '--config', 'headend.json');
  await waitFor('a head-end', () => (server.said().includes('a stream begins') ? true : undefined));
  await Promise.all(
    ['1', '2'].map((serial) =>
      tollcast(
        'issuer',
        'personalise',
        '--card',
        `soft:card-${serial}`,
        '--serial',
        serial,
        '--trust',
        '1=state/offer-key.pub.pem',
      ),
    ),
  );
}, 120_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await capture.close();
  await rm(folder, { recursive: true });
});

test('kill -9 of a watch: charged to the agreed end and not a second more, the key changes, others go on', async () => {
  const dead = '4b455a-02-00000001';
  const stays = watch('card-2', '--json');
  await plays(stays);
  const killed = watch('card-1');
  await plays(killed);
  killed.child.kill('SIGKILL');
  expect(await killed.ended).toBe(null);
  // It may have asked for more before, on a machine that is slow.
  const asked = await logOf(dead);
  const agreed = asked.find(({ outcome }) => outcome === 'joined' || outcome === 'extended');
  const joined = asked.find(({ outcome }) => outcome === 'joined')!;
  const end = agreed!.to;
  expect(joined.to - joined.from).toBe(JOIN);
  expect(await billsOf(dead)).toEqual([]);

  await sleep(end * 1000 - Date.now());
  const [bill] = await waitFor('the bill', async () => {
    const bills = await billsOf(dead);
    return bills.length > 0 ? bills : undefined;
  });
  const seconds = end - joined.from;
  const owed = Math.ceil((seconds * HOUR_PRICE) / 3600);
  expect(bill).toMatchObject({ from: joined.from, to: end, seconds, isClosed: true });
  expect(bill!.amount.replace('.', '')).toBe(`${owed.toString().padStart(7, '0')} USD`);
  expect(JSON.stringify(await askHeadEnd('member', 'list', String(SERVICE), 'main'))).not.toContain(dead);
  await waitFor('what is sent after the end', () =>
    capture.media.some((packet) => (packet.at(-4)! & 0x80) !== 0 && readGroup(packet).mediaTime > end + 2)
      ? true
      : undefined,
  );
  // Nothing is charged that comes later, either.
  expect(await billsOf(dead)).toEqual([bill]);

  // All that was on the network, and in answers to whomever.
  const groups = capture.groups.slice(0, -1).map((packets) => ({ packets, ...readGroup(packets[0]!) }));
  const before = groups.filter(({ mediaTime }) => joined.from < mediaTime && mediaTime < end);
  const after = groups.filter(({ mediaTime }) => mediaTime >= end);
  expect([before.length > 20, after.length > 2]).toEqual([true, true]);
  expect(after[0]!.mediaTime).toBe(end);
  expect(after[0]!.contentKeyId).not.toBe(before.at(-1)!.contentKeyId);
  await using store = await openHeadendStore(join(folder, 'state'));
  const replies = await store.selectFrom('answeredRequest').select('reply').execute();
  const answers = replies.map(({ reply }) => reply).filter((reply) => reply.includes('"messages"'));
  const given = answers.flatMap((reply) => parseAnswer(Buffer.from(reply)).messages);
  const all = [...takeApart(given), ...takeApart(capture.messages)];
  expect(given.length).toBeGreaterThan(3);

  // The card itself, from its file, with all of it in both orders.
  {
    await using card = await startCard({ kind: 'soft', state: join(folder, 'card-1') });
    const module = new DecodeModule(await card.channel());
    await module.select();
    await module.openSession(SERVICE);
    for (const messages of [all, all.toReversed()]) expect(await tryRecording(module, messages, after)).toEqual([]);
  }
  // Whoever reads out its keys and heeds no time has what was paid for, and nothing else.
  const master = await new KeyStore(join(folder, '.tollcast/issuer'), async () => PASSPHRASE).open('unique');
  const broken = new BrokenCard(SERVICE, deriveCardKey(master, 'downlink', parseCardId(dead)));
  broken.learn(all);
  expect(before.filter(({ packets }) => broken.open(packets) === undefined)).toEqual([]);
  expect(after.filter(({ packets }) => broken.open(packets) !== undefined)).toEqual([]);

  // A new battery: it joins anew, and that is another entry.
  const again = watch('card-1');
  await plays(again);
  again.child.kill('SIGINT');
  expect(await again.ended, again.said()).toBe(0);
  const [second, first, ...others] = await waitFor('the second bill', async () => {
    const bills = await billsOf(dead);
    return bills.length > 1 ? bills : undefined;
  });
  expect(others).toEqual([]);
  expect(first).toEqual(bill);
  expect(second!.from).toBeGreaterThanOrEqual(end);
  expect(second!.seconds).toBe(second!.to - second!.from);

  // The other one played through all of it.
  stays.child.kill('SIGINT');
  expect(await stays.ended, stays.said()).toBe(0);
  expect(stays.said()).not.toMatch(/^(refused|waiting)/m);
  const told = JSON.parse(
    stays
      .said()
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('{'))!,
  ) as Record<string, unknown>;
  expect(told).toMatchObject({ missing: 0, drops: { noKey: 0 } });
}, 180_000);
