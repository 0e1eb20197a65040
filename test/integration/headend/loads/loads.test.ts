import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { TransportError } from '../../../../apdu/errors.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { readBalances, readEntries } from '../../../../host/headend/ledger/read-ledger.ts';
import { LostCards } from '../../../../host/headend/loads/lost-cards.ts';
import { fetchLoad, type PostJson } from '../../../../host/holder/loads/fetch-load.ts';
import { RequestRefusedError } from '../../../../host/holder/requests/subscription.ts';
import { openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { OpenLoadDesk } from '../../../support/headend/billing/load-desk.ts';
import { MortalLoadDesk } from '../../../support/headend/billing/mortal-load-desk.ts';
import { IssuerDesk, UNIT } from '../../../support/issuer-desk.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

const KEY = 'a-key-of-this-test-1';

let issuer: IssuerDesk;
let state: string;
let desk: OpenLoadDesk;

beforeEach(async () => {
  issuer = await IssuerDesk.withCard('soft');
  state = await mkdtemp(join(tmpdir(), 'tollcast-loads-'));
  desk = await OpenLoadDesk.open(issuer.issuer.store, state);
});

afterEach(async () => {
  await desk.close();
  await issuer.close();
  await rm(state, { recursive: true });
});

async function makeVoucher(amount = '5.00 USD', from: Pick<OpenLoadDesk, 'ask'> = desk): Promise<string> {
  const { text } = await from.ask({ what: 'vouchers', name: randomUUID(), count: 1, amount });
  const [code] = JSON.parse(text) as [string];
  expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
  return code;
}

function load(voucher?: string, { key = KEY, post = desk.post }: { key?: string; post?: PostJson } = {}) {
  return fetchLoad(issuer.module, post, { key, voucher });
}

/** What the card holds, and the ledger owes it. */
async function expectLoaded(amount: bigint, loads: number): Promise<void> {
  expect(await issuer.module.getPurse()).toMatchObject({ loaded: amount, loadNumber: loads });
  await using store = await openHeadendStore(state);
  const account = `card:${formatCardId(issuer.cardId)}` as const;
  const [balance] = await readBalances(store, account);
  expect(balance?.amount ?? 0n).toBe(-amount);
}

/** A card that was loaded with a unit and is lost: two hours ago, without a purchase. */
async function loseCard(serial: number): Promise<void> {
  const { accounts } = issuer;
  const card = { moduleClass: 'card', currency: 840, maximumBalance: UNIT, serial } as const;
  const lost = await accounts.addCard(card, 1);
  const loadId = new Uint8Array(8).fill(serial);
  await accounts.addOrder(lost, { kind: 'load', number: 1, loadId, asked: UNIT, refund: 0n, signedAt: 1 });
  await accounts.recordProof(lost, 1);
  await using store = await openHeadendStore(state);
  const clock = new SimulatedClock(Date.now() - 7_200_000);
  await new LostCards({ store, accounts, post: async () => undefined, clock }).report(lost, issuer.cardId, 'ann');
}

async function problemOf(loading: Promise<unknown>): Promise<string> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof RequestRefusedError) return error.problem.code;
    throw error;
  }
  return 'none';
}

describe('a card that is elsewhere', () => {
  test('is loaded by a voucher once, however it is typed and however often', async () => {
    const code = await makeVoucher();
    expect(await load(code)).toEqual({ kind: 'load', amount: 5n * UNIT, refund: 0n, repeated: false });
    expect(await load(code.toLowerCase().replaceAll('-', ' '))).toMatchObject({ amount: 5n * UNIT, repeated: true });
    expect(await load(code, { key: 'another-key-of-this' })).toMatchObject({ repeated: true });
    await expectLoaded(5n * UNIT, 1);
  });

  test('fetches what was paid at the desk, one payment after the other, and then nothing', async () => {
    expect(await problemOf(load())).toBe('nothing-paid');
    const grant = { what: 'grant', cardId: toHex(issuer.cardId), kind: 'cash' } as const;
    await desk.ask({ ...grant, name: 'desk-1', amount: '1.00 USD' });
    await desk.ask({ ...grant, name: 'desk-2', amount: '2.00 USD' });
    expect(await load(undefined, { key: 'the-first-key-0001' })).toMatchObject({ amount: UNIT, repeated: false });
    expect(await load(undefined, { key: 'the-first-key-0001' })).toMatchObject({ amount: UNIT, repeated: true });
    expect(await load(undefined, { key: 'the-second-key-002' })).toMatchObject({ amount: 2n * UNIT, repeated: false });
    expect(await problemOf(load(undefined, { key: 'the-third-key-0003' }))).toBe('nothing-paid');
    await expectLoaded(3n * UNIT, 2);
  });

  test('is given a line of credit likewise, which is no money in the ledger', async () => {
    const cardId = toHex(issuer.cardId);
    await desk.ask({ what: 'grant', name: 'line-1', cardId, kind: 'credit limit', amount: '3.00 USD' });
    expect(await load()).toMatchObject({ kind: 'credit limit', amount: 3n * UNIT });
    expect(await issuer.module.getPurse()).toMatchObject({ loaded: 0n, loadNumber: 1 });
    expect((await issuer.module.getLog(0)).creditLimit).toBe(3n * UNIT);
    await using store = await openHeadendStore(state);
    expect(await readEntries(store, {})).toEqual([]);
  });

  test('cannot try codes: after ten wrong ones an hour must pass', async () => {
    for (let i = 0; i < 10; i++) expect(await problemOf(load('ABCD-EFGH-JKMN-PQRS'))).toBe('wrong-voucher');
    expect(await problemOf(load(await makeVoucher()))).toBe('over-quota');
    await expectLoaded(0n, 0);
  });

  test('a batch of vouchers has a name: made again it is the same codes, which load once, and other than that is refused', async () => {
    const batch = { what: 'vouchers', name: 'may', count: 2, amount: '1.00 USD' } as const;
    const first = JSON.parse((await desk.ask(batch)).text) as [string, string];
    expect(await load(first[0], { key: 'the-first-key-0001' })).toMatchObject({ repeated: false });
    await desk.close();
    desk = await OpenLoadDesk.open(issuer.issuer.store, state);
    const again = await Promise.all(Array.from({ length: 4 }, () => desk.ask(batch)));
    expect(again.map(({ text }): unknown => JSON.parse(text))).toEqual(Array(4).fill(first));
    expect(await load(first[0], { key: 'the-second-key-002' })).toMatchObject({ repeated: true });
    expect(await load(first[1], { key: 'the-third-key-0003' })).toMatchObject({ repeated: false });
    await expectLoaded(2n * UNIT, 2);
    const refused = { code: 'CREDIT_DIFFERS', message: expect.stringContaining('choose another name') as string };
    await expect(desk.ask({ ...batch, amount: '1.01 USD' })).rejects.toMatchObject(refused);
    await expect(desk.ask({ ...batch, count: 3 })).rejects.toMatchObject(refused);
    const others = JSON.parse((await desk.ask({ ...batch, name: 'june' })).text) as string[];
    expect(new Set([...first, ...others]).size).toBe(4);
  });

  test('gets no more than it may hold, and what was paid stays its own', async () => {
    const code = await makeVoucher('501.00 USD');
    expect(await problemOf(load(code))).toBe('over-maximum');
    expect(await problemOf(load(await makeVoucher('5.00 EUR')))).toBe('wrong-currency');
    await using store = await openHeadendStore(state);
    expect(await store.selectFrom('credit').select(['amount', 'cardId', 'isSettled']).execute()).toEqual([
      { amount: 501n * UNIT, cardId: toHex(issuer.cardId), isSettled: false },
      { amount: 5n * UNIT, cardId: null, isSettled: false },
    ]);
  });

  test('codes are kept as hashes alone', async () => {
    const code = await makeVoucher();
    await using store = await openHeadendStore(state);
    const rows = JSON.stringify(await store.selectFrom('credit').selectAll().execute(), (_name, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(rows).not.toContain(code.replaceAll('-', ''));
  });
});

describe('asked twice, loaded once', () => {
  test('whatever step of the head-end is its last', { timeout: 120_000 }, async () => {
    await using mortal = new MortalLoadDesk(issuer.issuer.store, state);
    const { post } = mortal;
    let total = 0n;
    let deaths = 0;
    await mortal.start();
    for (let after = 1; ; after++) {
      const code = await makeVoucher('1.00 USD', mortal);
      await mortal.ask({ what: 'die', after });
      const first = await load(code, { post }).catch((error: unknown) => error);
      const died = !mortal.isAlive;
      if (died) {
        expect(first).toBeInstanceOf(TransportError);
        deaths += 1;
        await mortal.start();
        expect(await load(code, { post })).toMatchObject({ amount: UNIT });
      }
      total += UNIT;
      await expectLoaded(total, Number(total / UNIT));
      if (!died) break;
    }
    // Before the first write, and after each.
    expect(deaths).toBeGreaterThan(6);
  });

  test('also what lost cards have left, wherever the head-end is killed', { timeout: 60_000 }, async () => {
    await using mortal = new MortalLoadDesk(issuer.issuer.store, state);
    const { post } = mortal;
    let total = 0n;
    let deaths = 0;
    await mortal.start();
    // After it is decided, claimed, ordered or proved, and on disk.
    for (const after of [2, 3, 5, 7]) {
      await loseCard(after);
      await mortal.ask({ what: 'die', after });
      await load(undefined, { key: `the-key-number-${after}`, post }).catch(() => undefined);
      if (!mortal.isAlive) {
        deaths += 1;
        await mortal.start();
        await load(undefined, { key: `the-key-number-${after}`, post }).catch(() => undefined);
      }
      total += UNIT;
      await expectLoaded(total, Number(total / UNIT));
    }
    expect(deaths).toBeGreaterThan(2);
    await using store = await openHeadendStore(state);
    expect(await readEntries(store, { kind: 'move' })).toHaveLength(4);
    // No more came in than was paid for the lost cards.
    expect((await readBalances(store, 'cash'))[0]?.amount).toBe(4n * UNIT);
  });

  test('whatever step of the client is its last', async () => {
    let total = 0n;
    // A client dies before or after each of its two questions, and a new one knows nothing but the voucher.
    for (const lastAt of [1, 2, 3, 4]) {
      const code = await makeVoucher('1.00 USD');
      let step = 0;
      const post: PostJson = async (...question) => {
        if (++step === lastAt) throw new TransportError('HTTPS', 'the client died');
        const answer = await desk.post(...question);
        if (++step === lastAt) throw new TransportError('HTTPS', 'the client died');
        return answer;
      };
      await expect(load(code, { post })).rejects.toThrow('the client died');
      expect(await load(code)).toMatchObject({ amount: UNIT });
      total += UNIT;
      await expectLoaded(total, Number(total / UNIT));
    }
  });

  test('whatever is lost between card and client', async () => {
    const code = await makeVoucher();
    for (const fault of ['command lost', 'answer lost'] as const) {
      issuer.channel.fail(0x44, fault);
      await load(code).catch(() => undefined);
      await issuer.reconnect();
    }
    expect(await load(code)).toMatchObject({ amount: 5n * UNIT });
    await expectLoaded(5n * UNIT, 1);
  });
});
