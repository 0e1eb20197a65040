import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CardKind, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { withTables } from '../../bench/card/card-cost-tables.ts';
import { readProfile } from '../../bench/read-profile.ts';
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

interface Bench {
  readonly roundTrip: Measured;
  readonly startLoad?: Measured;
  readonly loadKey?: Measured;
  readonly decode: readonly (Measured & { span: number; minEvery: readonly number[] })[];
  readonly take?: Measured;
  readonly undone: readonly { what: string; code: string; why: string }[];
}

/** What is measured, in its order. */
const NAMES = ['START LOAD', 'LOAD KEY', 'DECODE span 16', 'DECODE span 32', 'DECODE span 64', 'DECODE span 208'];
const TAKE = 'DECODE with a take';

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

  async function bench(...words: string[]): Promise<Bench> {
    return (await json('card', 'bench', ...at, '--seconds', '0.1', ...words)) as unknown as Bench;
  }

  test('of a blank card, only the round trip is measured; a card of another issuer is refused', async () => {
    if (kind === 'soft') {
      expect((await tollcast('card', 'bench', ...at)).stderr).toMatch(/no soft card .*make one: tollcast issuer pers/);
    } else {
      const { roundTrip, decode, undone, ...others } = await bench();
      expectMeasured(roundTrip);
      expect([decode, Object.keys(others)]).toEqual([[], ['card', 'rates']]);
      const why = { code: 'CARD_NOT_ACTIVE', why: 'this card is blank; type: tollcast issuer personalise' };
      expect(undone).toEqual([...NAMES, TAKE].map((what) => ({ what, ...why })));
    }
    await json('issuer', 'personalise', ...at);
    await json('issuer', 'init', '--store', `other ${kind}`);
    const { code, stderr } = await tollcast('card', 'bench', '--card', address, '--store', `other ${kind}`);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/was not made from this store/) as string,
    });
  });

  test('without credit, measures all but takes, and says so', async () => {
    const { take, decode, undone } = await bench('--takes', '--span', '16');
    expect([take, decode.length]).toEqual([undefined, 1]);
    const why = expect.stringMatching(/not enough credit.*; load credit/) as string;
    expect(undone).toEqual([{ what: TAKE, code: 'NO_CREDIT', why }]);
  });

  test('measures, charges nothing and leaves no key behind', async () => {
    await json('issuer', 'load', ...at, '--amount', '1.00 USD');
    const before = await json('card', 'info', '--card', address);
    const { roundTrip, startLoad, loadKey, decode, undone } = await bench();
    for (const one of [roundTrip, startLoad!, loadKey!]) expectMeasured(one);
    expect(undone).toEqual([{ what: TAKE, code: 'NOT_ASKED', why: expect.stringMatching(/--takes/) as string }]);
    expect(decode.map(({ span }) => span)).toEqual([16, 32, 64, 208]);
    for (const one of decode) {
      expectMeasured(one);
      expect(one.minEvery).toEqual([2e6, 5e6, 20e6].map((rate) => Math.ceil(rate / 8 / 1316 / one.perSecond)));
    }
    expect(await json('card', 'info', '--card', address)).toEqual(before);
  });

  test('with --takes, pays a millionth for each of 20 groups, and leaves one receipt', async () => {
    const before = await json('card', 'info', '--card', address);
    const { take, undone } = await bench('--takes', '--span', '16');
    expectMeasured(take!);
    expect(undone).toEqual([]);
    const after = await json('card', 'info', '--card', address);
    const number = (info: Record<string, unknown>, name: string) => Number(info[name]);
    for (const [name, more] of [
      ['spent', 20],
      ['balance', -20],
      ['torn', 0],
    ] as const) {
      expect([name, number(after, name) - number(before, name)]).toEqual([name, more]);
    }
    expect(after['keys']).toEqual(before['keys']);
  });

  test('writes a profile that goes into the page, without the card id', async () => {
    const file = join(directory, `${kind}.json`);
    const { card: id } = (await json('card', 'bench', ...at, '--seconds', '0.1', '--profile', file)) as {
      card: string;
    };
    const text = await readFile(file, 'utf8');
    expect([text.includes(id), text.includes(id.replaceAll('-', ''))]).toEqual([false, false]);
    const profile = readProfile(JSON.parse(text));
    expect(profile).toMatchObject({ transport: kind === 'soft' ? 'soft' : 'tcp', life: 'active', take: null });
    expect(profile.name).toBe(`ATR ${profile.atr}`);
    const page = await readFile(new URL('../../../firmware-notes/real-cards.md', import.meta.url), 'utf8');
    const row = new RegExp(`^\\| ATR ${profile.atr} \\| ${profile.transport} \\|.* NOT_ASKED \\|$`, 'm');
    expect(withTables(page, [profile])).toMatch(row);
  });

  test('a card that wants its PIN before a session says so, and is measured with --pin', async () => {
    const pin = join(directory, `${kind}.pin`);
    await writeFile(pin, '4711\n');
    await json('issuer', 'pin', ...at, '--pin-file', pin);
    await json('issuer', 'limits', ...at, '--pin-policy', 'sessions');
    const { loadKey, decode, undone } = await bench();
    expectMeasured(loadKey!);
    expect(decode).toEqual([]);
    expect(undone.map(({ what, code }) => [what, code])).toEqual([
      ...NAMES.slice(2).map((what) => [what, 'SECURITY']),
      [TAKE, 'SECURITY'],
    ]);
    expect((await bench('--pin-file', pin, '--span', '16')).decode).toHaveLength(1);
    await writeFile(pin, '1174\n');
    const { code, stderr } = await tollcast('card', 'bench', ...at, '--pin-file', pin);
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(/wrong PIN, 2 tries are left/)]);
    expect(code).not.toBe(0);
    await json('issuer', 'limits', ...at, '--pin-policy', 'none');
  });

  test('one span, in words', async () => {
    const { code, stdout } = await tollcast('card', 'bench', ...at, '--seconds', '0.1', '--span', '48');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^card .*\n5-octet command .*\/s.*\nSTART LOAD .*\nLOAD KEY .*\nDECODE span 48 .*\nleast n: .*\nnot measured: DECODE with a take: .*\n$/,
    );
  });
});

test.each(['20', '0', '224', '1e2'])('--span %s is refused', async (span) => {
  const { code, stderr } = await tollcast('card', 'bench', '--span', span);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `tollcast: "${span}" is not a span; write 16 to 208 in steps of 16\n`,
  });
});
