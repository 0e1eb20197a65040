import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatCardId, parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { CreditBook } from '../../../../host/headend/loads/credit-book.ts';
import { Accounts } from '../../../../host/issuer/cards/accounts.ts';
import { openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { runBilling, runHeadend } from '../../../support/headend/billing/billing-commands.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';

const CARDS = ['0a1b2c-02-00000001', '0a1b2c-02-00000002'] as const;

const clock = new SimulatedClock(Date.UTC(2026, 11, 24));

let fixture: HeadendFixture;
let config: string;

beforeAll(async () => {
  fixture = await startHeadend([], { clock, config: { loads: true } });
  const { directory, port } = fixture;
  config = join(directory, 'tv.json');
  const places = { listen: `127.0.0.1:${port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
  await writeFile(config, JSON.stringify({ ...places, services: [] }));
});

afterAll(() => fixture[Symbol.asyncDispose]());

function headend(...args: string[]): Promise<string> {
  return runHeadend(...args, '--config', config);
}

async function changes(): Promise<string[]> {
  const answer = readJson(await fixture.askOperator('GET', '/v1/operator/changes'));
  return (answer as { changes: { action: string; subject: string }[] }).changes.map(
    ({ action, subject }) => `${action}: ${subject}`,
  );
}

describe('users and their cards', () => {
  test('a card is its own user until it is given to one; one user has several, a card one user', async () => {
    expect(JSON.parse(await headend('user', 'list', CARDS[0]))).toMatchObject({ cards: [{ card: CARDS[0] }] });
    for (const card of CARDS) await headend('user', 'join', 'ann', card);
    await headend('user', 'join', 'ann', CARDS[0]);
    const { cards } = JSON.parse(await headend('user', 'list', 'ann')) as { cards: { card: string }[] };
    expect(cards.map(({ card }) => card)).toEqual(CARDS);
    expect(JSON.parse(await headend('user', 'list', CARDS[0]))).toMatchObject({ cards: [] });
    await expect(headend('user', 'join', 'bo', CARDS[0])).rejects.toThrow('is of another user');
    await headend('user', 'part', 'ann', CARDS[0]);
    await expect(headend('user', 'part', 'ann', CARDS[0])).rejects.toThrow('ann has no card');
    expect(JSON.parse(await headend('user', 'list', 'ann'))).toMatchObject({ cards: [{ card: CARDS[1] }] });
  });

  test('who a person is can be written down, changed and taken away', async () => {
    await headend('user', 'put', 'ann', '--person', 'Ann Example', '--contact', 'ann@example.org');
    await headend('user', 'put', 'ann', '--address', '1 Pier Road', '--contact', '');
    const listed = (await headend('user', 'list')).trim().split('\n');
    expect(listed.map((line): unknown => JSON.parse(line))).toMatchObject([
      { name: 'ann', person: 'Ann Example', contact: null, address: '1 Pier Road' },
    ]);
  });

  test('it is there after a restart, and each change has its operator; what was written of a person has not', async () => {
    await fixture.restart();
    expect(JSON.parse(await headend('user', 'list', 'ann'))).toMatchObject({ cards: [{ card: CARDS[1] }] });
    const logged = await changes();
    expect(logged).toEqual(
      expect.arrayContaining([
        `join card: user ann, card ${CARDS[0]}`,
        `part card: user ann, card ${CARDS[0]}`,
        'put user: user ann: address, contact',
      ]),
    );
    expect(logged.join()).not.toContain('Pier Road');
  });

  test('nobody but an operator sees or changes anything', async () => {
    const refused = await Promise.all([
      fixture.ask('GET', '/v1/operator/users'),
      fixture.ask('GET', '/v1/operator/users/ann'),
      fixture.ask('PUT', '/v1/operator/users/ann'),
      fixture.ask('PUT', `/v1/operator/users/ann/cards/${CARDS[0]}`),
      fixture.ask('DELETE', `/v1/operator/users/ann/cards/${CARDS[1]}`),
    ]);
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    expect((await fixture.askOperator('GET', '/v1/operator/users/nobody')).status).toBe(404);
  });
});

/** Two cards that the issuer made; the first was loaded with 10.00 USD. */
async function makeCards(): Promise<[lost: string, found: string]> {
  await using accounts = await Accounts.open(join(fixture.directory, 'issuer'));
  const now = Math.floor(clock.now() / 1000);
  const card = { moduleClass: 'card', currency: 840, maximumBalance: 500_000_000n } as const;
  const lost = await accounts.addCard({ ...card, serial: 11 }, now);
  const order = { kind: 'load', number: 1, loadId: new Uint8Array(8), asked: 10_000_000n, refund: 0n } as const;
  await accounts.addOrder(lost, { ...order, signedAt: now });
  await accounts.recordProof(lost, 1);
  const found = await accounts.addCard({ ...card, serial: 12 }, now);
  return [formatCardId(lost), formatCardId(found)];
}

describe('a card that was lost', () => {
  test('is replaced by one command: blocked for good, and its user and what is left are the new card’s', async () => {
    const [lost, found] = await makeCards();
    await headend('user', 'join', 'cy', lost);
    const said = await headend('member', 'replace', lost, found);
    expect(said).toContain(`what is left of it card ${found} fetches after 2026-12-24T01:00:00Z`);
    expect(await headend('member', 'replace', lost, found)).toBe(said);
    await expect(headend('member', 'unblock', lost)).rejects.toThrow(`card ${found} has its place`);
    await expect(headend('member', 'replace', lost, CARDS[1])).rejects.toThrow('is not in the accounts');
    expect(JSON.parse(await headend('user', 'list', 'cy'))).toMatchObject({ cards: [{ card: lost }, { card: found }] });
    const [waiting] = readReplaced(await headend('member', 'replaced'));
    expect(waiting).toMatchObject({ card: lost, newCard: found, endsAt: 0, decidedAt: null });
    expect(waiting).not.toHaveProperty('moved');
    await clock.advance(3_600_000);
    const [decided] = readReplaced(await headend('member', 'replaced'));
    expect(decided).toMatchObject({ balance: '10.00 USD', held: '0.00 USD', moved: '10.00 USD' });
    expect(await changes()).toContain(`replace: card ${lost}, by card ${found}`);
    expect((await fixture.ask('PUT', `/v1/operator/cards/${lost}/replacement`)).status).toBe(401);
    expect((await fixture.ask('GET', '/v1/operator/replacements')).status).toBe(401);
    await prove(found);
    await fixture.restart();
    const report = await runBilling('report', '--config', config);
    expect(report).toMatch(new RegExp(`card:${lost} +settled\ncard:${found} +credit 10.00 USD`));
    const [, entry = ''] = /^(\d+),1,.*,move,/m.exec(await runBilling('export', '--config', config)) ?? [];
    const explained = await runBilling('explain', entry, '--config', config);
    expect(explained).toContain(`10.00 USD from card:${found} to card:${lost}`);
    expect(explained).toContain(`card ${lost} was lost, as operator entered on 2026-12-24T00:00:00Z`);
    expect(explained).toContain('held back 0.00 USD, which it may have spent without a receipt; moved 10.00 USD');
  });
});

/** Has a card claim what is left to it and carry out its order, as its own requests do. */
async function prove(card: string): Promise<void> {
  const claim = { cardId: card.replaceAll('-', ''), currency: 840, key: 'the-first-key-0001', voucher: undefined };
  await using store = await openHeadendStore(join(fixture.directory, 'state'));
  const claimed = await new CreditBook(store, async () => new Uint8Array(16), clock).claim(claim);
  if (typeof claimed === 'string') throw new Error(claimed);
  await using accounts = await Accounts.open(join(fixture.directory, 'issuer'));
  const cardId = parseCardId(card);
  const { loadId, amount: asked } = claimed;
  const order = {
    kind: 'load',
    number: 1,
    loadId,
    asked,
    refund: 0n,
    signedAt: Math.floor(clock.now() / 1000),
  } as const;
  await accounts.addOrder(cardId, order);
  await accounts.recordProof(cardId, 1);
}

function readReplaced(text: string): readonly object[] {
  return (JSON.parse(text) as { replacements: object[] }).replacements;
}
