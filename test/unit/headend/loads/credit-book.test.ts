import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CreditBook, type Grant } from '../../../../host/headend/loads/credit-book.ts';
import { parseMoney } from '../../../../host/money/amount.ts';
import { type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

const GRANT: Grant = { name: 'desk-1', kind: 'cash', cardId: '0a1b2c0200000001', money: parseMoney('5.00 USD') };

let directory: string;
let store: HeadendStore;
let credits: CreditBook;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-credits-'));
  store = await openHeadendStore(directory);
  credits = new CreditBook(store, async () => new Uint8Array(16).fill(7), new SimulatedClock(Date.UTC(2026, 11, 24)));
});

afterEach(async () => {
  await store.destroy();
  await rm(directory, { recursive: true });
});

async function claim(key: string): Promise<bigint | string> {
  const found = await credits.claim({ cardId: GRANT.cardId, currency: 840, key, voucher: undefined });
  if (typeof found === 'string') return found;
  await credits.settle(found);
  return found.amount;
}

describe('what was paid at the desk has a name', () => {
  test('granted again under it nothing changes, also after it was fetched and by another operator', async () => {
    const first = await credits.grant(GRANT, 'ann');
    expect(await credits.grant(GRANT, 'ann')).toBe(first);
    expect(await claim('the-first-key-0001')).toBe(5_000_000n);
    expect(await credits.grant(GRANT, 'bo')).toBe(first);
    expect(await claim('the-second-key-002')).toBe('nothing-paid');
    expect(await store.selectFrom('credit').select(['name', 'madeBy']).execute()).toEqual([
      { name: 'desk-1', madeBy: 'ann' },
    ]);
  });

  test('asked at once it is granted once', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => credits.grant(GRANT, 'ann')));
    expect(new Set(ids).size).toBe(1);
  });

  test('another name is another grant', async () => {
    await credits.grant(GRANT, 'ann');
    await credits.grant({ ...GRANT, name: 'desk-2' }, 'ann');
    expect(await store.selectFrom('credit').select('name').execute()).toHaveLength(2);
  });

  test.each<[string, Partial<Grant>]>([
    ['amount', { money: parseMoney('5.01 USD') }],
    ['currency', { money: parseMoney('5.00 EUR') }],
    ['kind', { kind: 'credit limit' }],
    ['card', { cardId: '0a1b2c0200000002' }],
  ])('another %s under it is refused, and changes nothing', async (_, changed) => {
    await credits.grant(GRANT, 'ann');
    await expect(credits.grant({ ...GRANT, ...changed }, 'ann')).rejects.toMatchObject({
      code: 'CREDIT_DIFFERS',
      message: expect.stringContaining('choose another name') as string,
    });
    expect(await claim('the-first-key-0001')).toBe(5_000_000n);
    expect(await claim('the-second-key-002')).toBe('nothing-paid');
  });

  test('nothing is not granted', async () => {
    await expect(credits.grant({ ...GRANT, money: parseMoney('0 USD') }, 'ann')).rejects.toThrow('is nothing');
  });
});

test('many vouchers are made under one name, each with a code of its own', async () => {
  const money = parseMoney('5.00 USD');
  expect(new Set(await credits.makeVouchers({ name: 'may', count: 300, money }, 'ann')).size).toBe(300);
  const worthless = credits.makeVouchers({ name: 'june', count: 1, money: parseMoney('0 USD') }, 'ann');
  await expect(worthless).rejects.toThrow('is nothing');
});
