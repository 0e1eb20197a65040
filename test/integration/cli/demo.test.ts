import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeClip } from '../../support/streams/test-clip.ts';

const run = promisify(execFile);
const DEMO = join(import.meta.dirname, '../../../scripts/demo.ts');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-demo-test-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What it does, in this order: it serves, lists, asks, watches, leaves, and tells the cost and the proof. */
const STEPS = [
  /^head-end +tollcast headend serve /m,
  /^offered +Demo: .+; the offer is signed by a key that the card trusts$/m,
  /^consent +yes/m,
  /^bill +\d/m,
  /^joined +\d/m,
  /^The recovered stream is the source, bit by bit\.$/m,
];

async function demo(...words: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await run(process.execPath, [DEMO, '--json', ...words], { maxBuffer: 2 ** 22 });
  const said = stdout + stderr;
  const places = STEPS.map((step) => said.search(step));
  expect(places, said).toEqual(places.filter((place) => place >= 0).toSorted((a, b) => a - b));
  const last: unknown = JSON.parse(stdout.trim().split('\n').at(-1)!);
  return last as Record<string, unknown>;
}

describe.for(['soft', 'jcardsim', 'pcsc'])('the demo with card %s', (card) => {
  test('takes exactly 6.25 USD for 25,000,000 octets of plain data at 0.25 USD/MB', { timeout: 60_000 }, async () => {
    const source = join(folder, `${card}.data`);
    const octets = randomBytes(25_000_000);
    await writeFile(source, octets);
    const sha256 = createHash('sha256').update(octets).digest('hex');

    const outcome = await demo('--card', card, '--source', source, '--rate', '80000000', '--every', '100');

    expect(outcome).toMatchObject({
      card,
      octets: 25_000_000,
      charged: 6_250_000,
      currency: 'USD',
      balanceBefore: 10_000_000,
      balanceAfter: 3_750_000,
      sourceSha256: sha256,
      outputSha256: sha256,
    });
    // 18,997 payloads of at most 1,316 octets, or fewer a group where it closed for time.
    expect(outcome['commands']).toBeGreaterThanOrEqual(190);
    expect(outcome['persistentWrites']).toBeGreaterThan(0);
    expect(outcome['seconds']).toBeGreaterThan(2);
  });

  test('takes the toll of a clip to the micro-unit', { timeout: 60_000 }, async () => {
    const source = join(folder, `${card}.ts`);
    const clip = await makeClip(source, 2);
    const outcome = await demo('--card', card, '--source', source, '--price', '0.37 USD/MB', '--every', '10');
    expect(outcome['octets']).toBe(clip.length);
    expect(outcome['charged']).toBe(Number((BigInt(clip.length) * 370_000n + 999_999n) / 1_000_000n));
    expect(outcome['outputSha256']).toBe(createHash('sha256').update(clip).digest('hex'));
  });
});

test('stopped by Ctrl-C leaves nothing running and no file', { timeout: 60_000 }, async () => {
  const source = join(folder, 'long.data');
  await writeFile(source, randomBytes(5_000_000));
  const temporary = await mkdtemp(join(folder, 'tmp-'));
  const words = [DEMO, '--card', 'pcsc', '--source', source, '--rate', '1000000'];
  const child = spawn(process.execPath, words, {
    env: { ...process.env, TMPDIR: temporary },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (said.includes('playing')) break;
  }
  child.stdout.resume();
  process.kill(-child.pid!, 'SIGINT');
  const [code] = (await once(child, 'exit')) as unknown[];

  expect(code).toBe(130);
  expect(await readdir(temporary)).toEqual([]);
  expect(await processesOf(child.pid!)).toEqual([]);
});

/** Command lines of the processes in a session. */
async function processesOf(session: number): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // proc(5): state, parent, group and session follow the name in parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(fields[3]) === session && fields[0] !== 'Z') {
      found.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
    }
  }
  return found;
}

test('a source that is not there is told in one line', async () => {
  const missing = join(folder, 'none.ts');
  const failed: unknown = await demo('--card', 'soft', '--source', missing).catch((error: unknown) => error);
  expect(failed).toMatchObject({
    code: 1,
    stdout: '',
    stderr: `demo: ${missing} is not a file; name one that is there with --source\n`,
  });
});
