import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import type { Tariff } from '../../../../apdu/decode-module/money/tariff.ts';
import { startCard } from '../../../../card-sim/index.ts';
import { makePayloads, personalise, START, TestNetwork, TestService } from '../../../support/streams/test-service.ts';
import { TOLLCAST } from '../../../support/tollcast-cli.ts';

const CREDIT = 5_000_000n;
const PER_MEGABYTE: Tariff = { kind: 'octets', price: 250_000n };
const PER_HOUR: Tariff = { kind: 'duration', price: 2_000_000n };
const FLAT: Tariff = { kind: 'flat', price: 1_500_000n };
const FREE: Tariff = { kind: 'free', price: 0n };

let folder: string;
let out: string;
let network: TestNetwork;
let cardId: Uint8Array;
let child: ChildProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-price-'));
  out = join(folder, 'out');
  network = await TestNetwork.open();
  await using card = await startCard({ kind: 'soft', state: join(folder, 'card') });
  cardId = await personalise(card, 3, CREDIT);
});

afterEach(async () => {
  child.kill('SIGKILL');
  await network.close();
  await rm(folder, { recursive: true, force: true });
});

function words(...args: readonly string[]): string[] {
  const at = ['--address', `${network.address}:${network.port}`, '--card', `soft:${join(folder, 'card')}`];
  return [process.execPath, TOLLCAST, 'watch', ...at, '--out', out, ...args];
}

/** Starts it without a terminal, or at one that `script` makes: what is written to it is typed. */
function watch(terminal: boolean, ...args: readonly string[]) {
  const command = words(...args);
  const [program = '', ...rest] = terminal
    ? ['script', '-qefc', command.map((word) => `'${word}'`).join(' '), '/dev/null']
    : command;
  child = spawn(program, rest, { stdio: [terminal ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const until = async (what: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await what()); tries++) {
      if (tries > 1500) throw new Error(`it does not come to pass: ${said}`);
      await sleep(10);
    }
  };
  return { ended, until, said: () => said, type: (text: string) => child.stdin!.write(text) };
}

/** Sends one group after the other until the run has ended, or `isEnough`. */
async function send(of: TestService | (() => TestService), isEnough: () => boolean): Promise<void> {
  while (!isEnough() && child.exitCode === null) {
    const service = of instanceof TestService ? of : of();
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await sleep(50);
  }
}

async function readSpent(): Promise<bigint> {
  await using card = await startCard({ kind: 'soft', state: join(folder, 'card') });
  const module = new DecodeModule(await card.channel());
  await module.select();
  return CREDIT - (await module.getPurse()).balance;
}

const octetsOut = async () => (await stat(out).catch(() => undefined))?.size ?? 0;
const never = () => false;

describe('without a terminal', () => {
  test.each<[string, Tariff, string[], string]>([
    ['0.25 USD/MB', PER_MEGABYTE, [], 'nobody was asked'],
    ['0.25 USD/MB', PER_MEGABYTE, ['--max-price', '0.249999 USD/MB'], 'that is not within --max-price'],
    ['0.25 USD/MB', PER_MEGABYTE, ['--max-price', '0.249999 USD/MB', '--yes'], 'that is not within --max-price'],
    ['0.25 USD/MB', PER_MEGABYTE, ['--max-price', '9.00 USD/h'], 'that is not within --max-price'],
    ['0.25 USD/MB', PER_MEGABYTE, ['--max-price', '9.00 EUR/MB'], 'that is not within --max-price'],
    ['2.00 USD/h', PER_HOUR, ['--max-price', '1.99 USD/h'], 'that is not within --max-price'],
    ['1.50 USD/segment', FLAT, [], 'nobody was asked'],
  ])('%s%o with %j pays nothing and says what to type', async (price, tariff, args, why) => {
    const run = watch(false, ...args);
    await send(new TestService({ cards: [cardId], tariff, quantum: 2_000_000n }), never);
    expect(await run.ended).toBe(8);
    const last = run.said().trimEnd().split('\n').at(-1);
    expect(last).toContain(`tollcast: service 7 costs ${price}`);
    expect(last).toContain(`${why}, so nothing was paid at it; to pay it start again with --max-price "${price}"`);
    expect(last).toContain('balance 5.00 USD');
    expect(await octetsOut()).toBe(0);
    expect(await readSpent()).toBe(0n);
  });

  test.each<[Tariff, string[], RegExp]>([
    [FREE, [], /^service 7 costs free; balance 5\.00 USD$/m],
    [PER_MEGABYTE, ['--yes'], /^service 7 costs 0\.25 USD\/MB.*; balance 5\.00 USD$/m],
    [PER_HOUR, ['--max-price', '0.10 USD/MB', '--max-price', '2.00 USD/h'], /^service 7 costs 2\.00 USD\/h; balance/m],
    [FLAT, ['--max-price', '1.50 USD/segment'], /^service 7 costs 1\.50 USD\/segment, once for each segment that/m],
  ])('%o with %j is shown, then paid', async (tariff, args, shown) => {
    const run = watch(false, ...args);
    const sending = send(new TestService({ cards: [cardId], tariff, quantum: 2_000_000n }), () => child.killed);
    await run.until(async () => (await octetsOut()) > 0);
    child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    await sending;
    expect(run.said()).toMatch(shown);
    expect(run.said().includes('there is no terminal to ask at')).toBe(args.length === 0);
    expect(run.said().search(shown)).toBeLessThan(run.said().indexOf('first plaintext'));
  });

  test('a price that rises above --max-price ends the run, unpaid from there on', async () => {
    const run = watch(false, '--max-price', '0.30 USD/MB');
    const cheap = new TestService({ cards: [cardId] });
    let isEnough = false;
    const sending = send(cheap, () => isEnough);
    await run.until(async () => (await octetsOut()) > 0);
    isEnough = true;
    await sending;
    const tariff = { kind: 'octets', price: 310_000n } as const;
    await send(new TestService({ cards: [cardId], tariff, start: START + 100 }), never);
    expect(await run.ended).toBe(8);
    expect(run.said()).toContain('service 7 costs 0.31 USD/MB instead of 0.25 USD/MB');
    const paid = BigInt((await readFile(out)).length);
    expect(await readSpent()).toBe((paid * 250_000n + 999_999n) / 1_000_000n);
  });
});

describe('at a terminal', () => {
  test('price, currency and what an hour costs are shown before anything is paid; yes pays, a higher price asks again', async () => {
    const run = watch(true);
    let service = new TestService({ cards: [cardId] });
    const sending = send(() => service, never);
    await run.until(() => run.said().includes('Pay it? [y/N]'));
    // 10 packets of 1,316 octets in 50 ms and a little more.
    const asked =
      /service 7 costs 0\.25 USD\/MB, about (\d+\.\d\d) USD an hour at (\d\.\d\d) Mbit\/s; balance 5\.00 USD\. Pay it\?/.exec(
        run.said(),
      );
    const perHour = (Number(asked?.[2]) / 8) * 3600 * 0.25;
    expect(Math.abs(Number(asked?.[1]) / perHour - 1)).toBeLessThan(0.02);
    await sleep(500);
    expect(await octetsOut()).toBe(0);
    run.type('y\r');
    await run.until(async () => (await octetsOut()) > 0);

    const tariff = { kind: 'octets', price: 1_000_000n } as const;
    service = new TestService({ cards: [cardId], tariff, start: START + 100 });
    await run.until(() => run.said().includes('1.00 USD/MB instead of 0.25 USD/MB'));
    const before = await octetsOut();
    await sleep(500);
    expect(await octetsOut()).toBe(before);
    run.type('n\r');
    expect(await run.ended).toBe(8);
    await sending;
    expect(run.said()).toContain('this was not accepted, so nothing was paid at it');
    expect(await readSpent()).toBe((BigInt(before) * 250_000n + 999_999n) / 1_000_000n);
  });

  test.each([
    ['Enter', '\r'],
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s alone pays nothing', async (_name, key) => {
    const run = watch(true);
    const sending = send(new TestService({ cards: [cardId], tariff: PER_HOUR }), never);
    await run.until(() => run.said().includes('service 7 costs 2.00 USD/h; balance 5.00 USD. Pay it? [y/N]'));
    run.type(key);
    expect(await run.ended).toBe(8);
    await sending;
    expect(await readSpent()).toBe(0n);
  });
});
