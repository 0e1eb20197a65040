import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { formatMoney } from '../../../../host/money/amount.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { findFreeTcpPort } from '../../../support/headend/headend-fixture.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

let folder: string;
let env: NodeJS.ProcessEnv;
let headEnd: string;
let server: ChildProcess;
/** What the session sends, again and again. */
const CLIP = randomBytes(500_000);
/** Where this head-end is announced, and others of this machine are not. */
const ANNOUNCEMENTS = `239.255.${process.pid & 0xff}.250`;

/** Runs a command that must succeed, and reads what it prints. */
async function tollcast(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTollcast(args, { cwd: folder, env });
  expect(code, stderr).toBe(0);
  return stdout;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-channel-'));
  env = { ...process.env, TOLLCAST_PASSPHRASE: 'a passphrase of tests' };
  await writeFile(join(folder, 'clip.data'), CLIP);
  await tollcast('issuer', 'init', '--id', '4b455a');
  const port = await findFreeTcpPort();
  headEnd = `https://127.0.0.1:${port}`;
  const session = { name: 'main', source: 'clip.data', format: 'data', rate: 1_000_000, repeat: true };
  const service = async (number: number, name: string, price: unknown, more = {}) => {
    const address = `239.255.12.${number}:${await findFreePort()}`;
    return { number, name, price, ...more, sessions: [{ ...session, address }] };
  };
  const price = { content: { price: '0.25 USD/MB' }, delivery: { price: '5.00 USD/h', settlement: 'invoice' } };
  const services = [
    await service(7, 'Harbour', price),
    await service(8, 'Night', { content: { price: 'free' } }, { rating: 18, accept: ['card'] }),
  ];
  const announce = { address: ANNOUNCEMENTS, interval: 1 };
  const at = { listen: `127.0.0.1:${port}`, state: 'state', issuer: '.tollcast/issuer' };
  const config = { ...at, loads: true, announce, services };
  await writeFile(join(folder, 'headend.yaml'), JSON.stringify(config));
  server = spawn(process.execPath, [TOLLCAST, 'headend', 'serve', '--config', 'headend.yaml'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for await (const line of server.stderr!) if (String(line).includes('the head-end runs')) break;
  server.stderr!.resume();
  await tollcast(
    'issuer',
    'personalise',
    '--card',
    'soft:card',
    '--serial',
    '1',
    '--trust',
    '1=state/offer-key.pub.pem',
  );
  await tollcast('issuer', 'load', '--card', 'soft:card', '--amount', '10.00 USD');
}, 60_000);

afterAll(async () => {
  server.kill();
  await once(server, 'exit');
  await rm(folder, { recursive: true });
});

describe('channels', () => {
  test('are listed with price in plain words, age, and whether this card may watch', async () => {
    const words = ['channels', '--head-end', headEnd, '--card', 'soft:card'];
    expect((await tollcast(...words)).trim().split('\n').toSorted()).toEqual([
      'Harbour: 0.25 USD/MB from the card and 5.00 USD/h by invoice, for all; this card may watch it',
      'Night: free, from 18 years; not with this card: it is for cards of class card',
    ]);
    const { channels } = JSON.parse(await tollcast(...words, '--json')) as { channels: { name: string }[] };
    expect(channels.find(({ name }) => name === 'Harbour')).toMatchObject({ service: 7, rating: 0 });
  });

  test('are found by their announcements where no head-end is named', { timeout: 60_000 }, async () => {
    const listed = await tollcast('channels', '--announcements', ANNOUNCEMENTS, '--card', 'soft:card');
    expect(listed).toContain('Harbour: 0.25 USD/MB from the card and 5.00 USD/h by invoice, for all; this card may');
    expect(listed).toContain('Night: free, from 18 years; not with this card');
  });

  test.each([
    ['of a card that trusts nobody is not joined', 'Harbour', 'soft:stranger', 6, 'no verification key 1 of this card'],
    ['that nobody offers is not found, and the others are named', 'Beach', 'soft:card', 1, 'name one of "'],
    ['that the card may not watch is refused', 'night', 'soft:card', 1, 'it is for cards of class card'],
    ['whose price nobody accepts is not joined', 'harb', 'soft:card', 8, 'this was not accepted, so it was not joined'],
  ])('one %s', { timeout: 60_000 }, async (_title, name, card, status, why) => {
    if (card === 'soft:stranger') await tollcast('issuer', 'personalise', '--card', card, '--serial', '2');
    const words = ['watch', name, '--head-end', headEnd, '--card', card, '--out', 'nothing'];
    const { code, stderr } = await runTollcast(words, { cwd: folder, env });
    expect(stderr).toContain(why);
    expect(code).toBe(status);
    // Nothing was made for what is not watched.
    expect(await readdir(folder)).not.toContain('nothing');
    expect(await tollcast('headend', 'changes', '--config', 'headend.yaml')).not.toContain('joined');
  });
});

test(
  'watched by its name: joined, played, left; what the card paid and what is owed is told',
  { timeout: 60_000 },
  async () => {
    const prices = ['--max-price', '0.25 USD/MB', '--max-price', '5.00 USD/h'];
    const words = [
      'watch',
      'harbour',
      '--announcements',
      ANNOUNCEMENTS,
      '--card',
      'soft:card',
      '--out',
      'out',
      ...prices,
      '--json',
    ];
    const child = spawn(process.execPath, [TOLLCAST, ...words], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let json = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => (json += chunk.toString()));
    const exit = once(child, 'close');
    for (let tries = 0; !said.includes('first plaintext') && tries < 300; tries++) await sleep(100);
    await sleep(2000);
    child.kill('SIGINT');
    const [code] = (await exit) as [number];
    expect(code, said).toBe(0);
    const bill = JSON.parse(json) as { paid: number; charged: number; joined: number; owed: number };
    // By purse: 0.25 USD a megabyte of what was opened, rounded up once. By invoice: 5.00 USD an hour of the join.
    expect(bill.paid).toBeGreaterThan(100_000);
    expect(bill.charged).toBe(Math.ceil((bill.paid * 250_000) / 1e6));
    expect(bill.joined).toBeGreaterThanOrEqual(2);
    expect(bill.owed).toBe(Math.ceil((bill.joined * 5_000_000) / 3600));
    expect(said).toContain(`joined    ${bill.joined} s; `);
    expect(said).not.toMatch(/^refused/m);
    // The receipt was delivered at the leave, and the card may forget it; nothing is left to be delivered by hand.
    const { receiptsDue } = JSON.parse(await tollcast('card', 'info', '--card', 'soft:card', '--json')) as {
      receiptsDue: number;
    };
    expect(receiptsDue).toBe(0);
    const delivery = ['card', 'deliver-receipts', '--head-end', headEnd, '--card', 'soft:card', '--json'];
    expect(JSON.parse(await tollcast(...delivery))).toMatchObject({ delivered: 0, receiptsDue: 0 });
    // The user can ask what it owes, as soon as the entry is billed.
    await vi.waitFor(async () => {
      const asked = await tollcast('bill', '--head-end', headEnd, '--card', 'soft:card', '--json');
      const owed = formatMoney(BigInt(bill.owed), currencyByCode('USD'));
      expect(JSON.parse(asked)).toMatchObject({ owed: [owed], lines: [{ kind: 'charge', amount: owed }] });
    }, 30_000);
    const statement = await tollcast('bill', '--head-end', headEnd, '--card', 'soft:card', '--html');
    expect(statement).toMatch(/^<!doctype html>[^]*<td>charge<\/td><td class="amount number">[\d.]+ USD<\/td>/);
    const out = await readFile(join(folder, 'out'));
    expect(out).toHaveLength(bill.paid);
    expect(Buffer.concat([CLIP, CLIP, CLIP]).includes(out.subarray(0, 100_000))).toBe(true);
    // The card has sworn off what it held: nothing of the purchase is left after its end.
    const info = JSON.parse(await tollcast('card', 'info', '--card', 'soft:card', '--json')) as {
      keys: { kind: string; to: string }[];
    };
    for (const key of info.keys) expect(Date.parse(key.to)).toBeLessThanOrEqual(Date.now());
  },
);

test(
  'loaded from the head-end: by a voucher, once, and by what was paid at its desk',
  { timeout: 60_000 },
  async () => {
    const config = ['--config', 'headend.yaml'];
    const [code = ''] = (await tollcast('headend', 'voucher', '--amount', '0.05 USD', ...config)).split('\n');
    const words = ['card', 'load', '--head-end', headEnd, '--card', 'soft:card', '--json'];
    const read = async (...more: string[]) => JSON.parse(await tollcast(...words, ...more)) as Record<string, unknown>;
    const info = await tollcast('card', 'info', '--card', 'soft:card', '--json');
    const { balance: before } = JSON.parse(info) as { balance: number };
    const limited = await runTollcast([...words, '--voucher', 'AAAA-BBBB-CCCC-DDDD'], { cwd: folder, env });
    expect([limited.code, limited.stderr]).toEqual([6, expect.stringContaining('check each letter of the code')]);
    const loaded = await read('--voucher', code);
    expect(loaded).toMatchObject({ kind: 'load', amount: 50_000, repeated: false });
    expect(loaded['balance']).toBe(before + 50_000 + Number(loaded['refund']));
    expect(await read('--voucher', code)).toMatchObject({ repeated: true, balance: loaded['balance'] });
    const paid = ['headend', 'load', '4b455a-02-00000001', 'desk-1', '--amount'];
    await tollcast(...paid, '0.02 USD', ...config);
    await tollcast(...paid, '0.02 USD', ...config);
    const other = await runTollcast([...paid, '0.03 USD', ...config], { cwd: folder, env });
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('choose another name')]);
    expect(await read()).toMatchObject({ amount: 20_000, repeated: false });
    // Receipts, what was sent and the ledger agree on all of it.
    expect(await tollcast('billing', 'reconcile', ...config)).toMatch(/^service 7: 1 receipts, /);
    expect(await tollcast('billing', 'fraud', ...config)).toBe('nothing\n');
  },
);
