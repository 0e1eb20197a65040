import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CardKind, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { type CliRun, runTollcast } from '../../support/tollcast-cli.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-bench-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

function tollcast(...words: string[]): Promise<CliRun> {
  return runTollcast(words, { cwd: directory, env: { ...process.env, TOLLCAST_PASSPHRASE: 'only for this bench' } });
}

async function json(...words: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await tollcast(...words, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

interface Measured {
  readonly perSecond: number;
  readonly median: number;
  readonly slowest: number;
}

function expectMeasured({ perSecond, median, slowest }: Measured): void {
  expect(perSecond).toBeGreaterThan(0);
  expect(slowest).toBeGreaterThanOrEqual(median);
}

describe.each<CardKind>(['soft', 'jcardsim'])('tollcast card bench on %s', (kind) => {
  let card: SimulatedCard | undefined;
  let address: string;
  let at: string[];

  beforeAll(async () => {
    // A soft module is in its file: every process that opens it is its reader.
    card = kind === 'soft' ? undefined : await startCard({ kind });
    address = card?.address ?? `soft:${join(directory, 'card')}`;
    at = ['--card', address, '--store', kind];
    await json('issuer', 'init', '--store', kind);
  });

  afterAll(() => card?.close());

  test('a blank card is refused, and so is one of another issuer', async () => {
    expect((await tollcast('card', 'bench', ...at)).stderr).toMatch(
      /blank; type|no soft card .*make one: tollcast issuer personalise/,
    );
    await json('issuer', 'personalise', ...at);
    await json('issuer', 'init', '--store', `other ${kind}`);
    const { code, stderr } = await tollcast('card', 'bench', '--card', address, '--store', `other ${kind}`);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/was not made from this store/) as string,
    });
  });

  test('measures, charges nothing and leaves no key behind', async () => {
    await json('issuer', 'load', ...at, '--amount', '1.00 USD');
    const before = await json('card', 'info', '--card', address);
    const { roundTrip, loadKey, decode } = (await json('card', 'bench', ...at, '--seconds', '0.1')) as unknown as {
      roundTrip: Measured;
      loadKey: Measured;
      decode: readonly (Measured & { span: number; minEvery: readonly number[] })[];
    };
    expectMeasured(roundTrip);
    expectMeasured(loadKey);
    expect(decode.map(({ span }) => span)).toEqual([16, 32, 64, 208]);
    for (const one of decode) {
      expectMeasured(one);
      expect(one.minEvery).toEqual([2e6, 5e6, 20e6].map((rate) => Math.ceil(rate / 8 / 1316 / one.perSecond)));
    }
    expect(await json('card', 'info', '--card', address)).toEqual(before);
  });

  test('one span, in words', async () => {
    const { code, stdout } = await tollcast('card', 'bench', ...at, '--seconds', '0.1', '--span', '48');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^card .*\n5-octet command .*\/s.*\nLOAD KEY .*\nDECODE span 48 .*\nleast n: .*\n$/);
  });
});

test.each(['20', '0', '224', '1e2'])('--span %s is refused', async (span) => {
  const { code, stderr } = await tollcast('card', 'bench', '--span', span);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `tollcast: "${span}" is not a span; write 16 to 208 in steps of 16\n`,
  });
});
