import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { INS } from '../../apdu/decode-module/instruction.ts';
import { toHex } from '../../apdu/octets.ts';
import { startCard } from '../../card-sim/index.ts';
import type { AttackReport } from '../../host/cli/attack/attack-view.ts';
import { KEYS, PROFILE } from '../conformance/messages/messages.ts';
import { activate } from '../support/cards/activate.ts';
import { type Lying, startLiar } from '../support/cards/liar-card.ts';
import type { TcpCardServer } from '../support/cards/tcp-card-server.ts';
import { type CliRun, runTollcast } from '../support/tollcast-cli.ts';
import { LIARS } from './liars.ts';

const NAMES = [
  'replay',
  'rollback',
  'tear',
  'splice',
  'bogus',
  'time',
  'share',
  'load-twice',
  'leave-replay',
  'forge-price',
  'wrong-parent',
];

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-attack-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

function tollcast(...words: string[]): Promise<CliRun> {
  return runTollcast(['attack', ...words], { cwd: directory });
}

function reportsIn({ stdout }: CliRun): AttackReport[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AttackReport);
}

/** What was tried with a verdict. */
function triedWith(verdict: string, reports: readonly AttackReport[]): string[] {
  return reports.flatMap(({ attempts }) => attempts.filter((one) => one.verdict === verdict).map(({ tried }) => tried));
}

const UNDEFENDED = [
  'the newer nodes deleted, then those of the older epoch, and its content key',
  'a recording of the time before T that was never opened, opened after T',
  'the highest price and the largest groups that the ceilings allow',
  'a flat fee at the ceiling for each of four segments made up',
];
const MEMORY = "the card's whole memory copied, credit spent, and the copy put back";

describe('every attack', () => {
  test.each(['soft', 'jcardsim', 'pcsc'])(
    'on %s: nothing succeeds, and all that was tried is told',
    async (kind) => {
      const where = kind === 'soft' ? ['--card', 'soft:card'] : ['--simulate', kind];
      const run = await tollcast('all', ...where, '--json');
      expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' });
      const reports = reportsIn(run);
      expect(reports.map(({ attack }) => attack)).toEqual(NAMES);
      expect(reports.filter(({ error }) => error !== undefined)).toEqual([]);
      expect(triedWith('BROKEN', reports)).toEqual([]);
      expect(triedWith('not defended', reports)).toEqual(kind === 'soft' ? [MEMORY, ...UNDEFENDED] : UNDEFENDED);
      expect(triedWith('not tried', reports)).toEqual(kind === 'soft' ? [] : [MEMORY]);
      for (const { attack, counts, attempts } of reports) {
        expect(attack === 'share' ? counts.measured : counts.held).toBeGreaterThanOrEqual(4);
        const sum = Object.values(counts).reduce((all, count) => all + count, 0);
        expect(sum).toBe(attempts.length);
      }
      const cut = reports
        .find(({ attack }) => attack === 'tear')!
        .attempts.flatMap(({ figures }) => figures?.['cut points'] ?? []);
      expect(cut).toHaveLength(5);
      for (const points of cut) expect(points).toBeGreaterThanOrEqual(3);
      const attempts = reports.reduce((all, report) => all + report.attempts.length, 0);
      console.log(`${kind}: ${attempts} attempts, ${cut.reduce((all, points) => all + points, 0)} cut points`);
      // 5 Mbit/s in groups of 100 x 1,316 octets: 4.749 groups a second; strict 3,324.
      const shared = reports
        .find(({ attack }) => attack === 'share')!
        .attempts.map(({ figures }) => figures?.['bit/s to share']);
      expect(shared).toEqual([608, 7903, 7295, 5_106_383]);
    },
    240_000,
  );
});

describe('the card of the kit', () => {
  test('is attacked again with the keys of before, which nobody else can read; in words', async () => {
    await tollcast('wrong-parent', '--card', 'soft:again', '--kit', 'kit.json');
    const { code, stdout, stderr } = await tollcast('load-twice', '--card', 'soft:again', '--kit', 'kit.json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^card a77ac4-02-[0-9a-f]{8} is the attack kit's own now, and of no use for anything else\n/,
    );
    expect(stdout).toContain(
      '\n  tried     more than the card may hold\n' +
        '  the card  9407, the balance would pass its maximum\n' +
        '  verdict   held\n\n',
    );
    expect(stdout).toMatch(/\n1 attack on card a77ac4-02-[0-9a-f]{8}: 15 held\n$/);
    expect((await stat(join(directory, 'kit.json'))).mode & 0o777).toBe(0o600);
    const kit = await readFile(join(directory, 'kit.json'), 'utf8');
    const masters = kit.match(/[0-9a-f]{32}/g);
    expect(masters).toHaveLength(5);
    for (const key of masters!) expect(stdout).not.toContain(key.slice(0, 16));
    const lost = await tollcast('replay', '--card', 'soft:again', '--kit', 'another.json');
    expect(lost).toMatchObject({ code: 1, stdout: '' });
    expect(lost.stderr).toMatch(/not one that this kit made/);
  });

  test("is never somebody's: that is refused, and nothing is done to it", async () => {
    await using card = await startCard({ kind: 'soft', state: join(directory, 'his') });
    const channel = await card.channel();
    await new DecodeModule(channel).select();
    await activate(channel, PROFILE, KEYS);
    await card.close();
    const before = toHex(await readFile(join(directory, 'his')));
    const { code, stdout, stderr } = await tollcast('all', '--card', 'soft:his');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/could spend what is on it; insert a blank card, .* or try a simulated card/);
    expect(toHex(await readFile(join(directory, 'his')))).toBe(before);
  });

  test('must be named, and a file that is none is refused', async () => {
    const unnamed = await tollcast('all');
    expect(unnamed).toMatchObject({ code: 2, stdout: '' });
    expect(unnamed.stderr).toMatch(/uses a blank card up, so it must be named/);
    expect((await tollcast('all', '--card', 'soft', '--simulate', 'soft')).code).toBe(2);
    expect((await tollcast('share', '--card', 'soft', '--rate', 'fast')).stderr).toMatch(/not a bit rate/);
    await writeFile(join(directory, 'bad.json'), '{"cards": {"00": {"masters": {"unique": "secret"}}}}');
    const { stderr } = await tollcast('all', '--card', 'soft:new', '--kit', 'bad.json');
    expect(stderr).toMatch(/is not a file of the attack kit/);
    expect(stderr).not.toContain('secret');
  });

  test('gives away as much at another bit rate as the rate says', async () => {
    const run = await tollcast('share', '--simulate', 'soft', '--rate', '20', '--json');
    expect(reportsIn(run)[0]!.attempts[0]!.figures).toEqual({
      'octets per group': 16,
      'bit/s to share': 2432,
      'bit/s of the stream': 20_000_000,
    });
  });
});

describe('a card that is broken is found out', () => {
  async function against(lying: Lying, ...words: string[]): Promise<CliRun> {
    const server: TcpCardServer = await startLiar(lying);
    try {
      return await tollcast(...words, '--card', `tcp:127.0.0.1:${server.port}`, '--kit', 'liars.json');
    } finally {
      await server.close();
    }
  }

  test.each(LIARS)('%s: one that %s', async (attack, _, lying) => {
    const run = await against(lying, attack, '--json');
    expect({ code: run.code, error: JSON.parse(run.stderr) as unknown }).toEqual({
      code: 1,
      error: {
        error: { code: 'ATTACK_SUCCEEDED', message: expect.stringMatching(/does not hold/) as unknown, exitStatus: 1 },
      },
    });
    const [report] = reportsIn(run);
    expect(report).not.toHaveProperty('error');
    expect(report!.counts.BROKEN).toBeGreaterThan(0);
    expect(report!.attempts.find(({ verdict }) => verdict === 'BROKEN')!.note).toBeTypeOf('string');
  });

  test('and none of it is found in the same card when it tells the truth', async () => {
    const run = await against({}, 'all', '--json');
    expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' });
    expect(triedWith('BROKEN', reportsIn(run))).toEqual([]);
  });

  test('one that does nothing at all does not hold, either', async () => {
    const dead: Lying = {
      answer: (command, answer) => (command[1] === INS.DECODE ? Uint8Array.of(0x6f, 0) : answer),
    };
    const { code, stdout } = await against(dead, 'time');
    expect(code).toBe(1);
    expect(stdout).toMatch(/stopped {3}the card refused .* which is honest: nothing can be said of it/);
  });
});
