import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, assert, beforeEach, describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { MASTERS } from '../../../apdu/decode-module/keys/card-keys.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { type CardKind, type CardStore, SoftCard, type SimulatedCard, startCard } from '../../../card-sim/index.ts';

import { Accounts } from '../../../host/issuer/cards/accounts.ts';
import { type LoadResult, loadCredit, setCreditLimit } from '../../../host/issuer/orders/credit.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { putKey } from '../../../apdu/secure-channel/put-key.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { setLife, setPin } from '../../../host/issuer/cards/card-administration.ts';
import { personalise } from '../../../host/issuer/cards/personalisation.ts';
import { type Collection, collectReceipts } from '../../../host/issuer/orders/receipts.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';
import { makeCardMemory, FaultyChannel, type IssuerFixture, startIssuer, watch } from '../../support/issuer-fixture.ts';

const ISSUER = 0x0a1b2c;
const UNIT = 1_000_000n;
/** 2026-11-21, and the first second of the month after. */
const NOVEMBER = 1_795_219_200;
const DECEMBER = Date.UTC(2026, 11) / 1000;

let issuer: IssuerFixture;
let kind: CardKind;
let card: SimulatedCard;
let channel: FaultyChannel;
let module: DecodeModule;
let cardId: Uint8Array;
let started: AsyncDisposableStack;

beforeEach(async () => {
  started = new AsyncDisposableStack();
  issuer = await startIssuer(ISSUER);
});

afterEach(async () => {
  await started.disposeAsync();
  await issuer.close();
});

async function insertBlankCard(): Promise<void> {
  card = started.use(await startCard({ kind }));
  await connect();
}

async function connect(): Promise<void> {
  use(await card.channel());
}

function use(opened: CardChannel): void {
  channel = new FaultyChannel(opened);
  module = new DecodeModule(channel);
}

function makeCard(from = issuer, maximumBalance = 500n * UNIT): Promise<Uint8Array> {
  const wanted = { moduleClass: 'card', currency: 840, maximumBalance, maximumUnacknowledged: maximumBalance } as const;
  return personalise({ ...from, channel, installed: TEST_KEY_SET, now: NOVEMBER }, wanted);
}

function load(
  amount: bigint,
  options: { refundCap?: bigint; now?: number; from?: IssuerFixture } = {},
): Promise<LoadResult> {
  const { refundCap = 5n * UNIT, now = NOVEMBER, from = issuer } = options;
  return loadCredit({ ...from, module, now }, { amount, currency: 840, refundCap });
}

function collect(from = issuer): Promise<Collection> {
  return collectReceipts(module, from.keys, from.accounts);
}

/** A session of groups of 1,000,000 octets, 0.25 each. */
async function session(groups: number): Promise<void> {
  await watch(module, await issuer.keys.open('unique'), cardId, Array<number>(groups).fill(1_000_000));
}

/** What a session had taken, 1.00 a quantum, is torn. */
async function tear(groups = 1): Promise<void> {
  await session(groups);
  await card.pull();
  await card.insert();
  await connect();
}

/** Octets of the S2s that were sent to the card, in their order. */
function ordersSent(): string[] {
  return channel.sent
    .filter((command) => command[1] === INS.LOAD_CREDIT)
    .map((command) => toHex(command.subarray(5, 69)));
}

/** @returns what everyone awaits until so many have come. */
function meetingOf(expected: number): () => Promise<void> {
  const all = Promise.withResolvers<void>();
  let come = 0;
  return () => {
    if (++come === expected) all.resolve();
    return all.promise;
  };
}

async function replaceAccounts(by: string): Promise<void> {
  await issuer.accounts.close();
  await copyFile(by, join(issuer.store, 'accounts.sqlite'));
  issuer.accounts = await Accounts.open(issuer.store);
}

async function expectRefusal(work: Promise<unknown>, code: string): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert(error instanceof TollcastError, `this was to be refused with ${code}, not ${String(error)}`);
  expect(`${error.code}: ${error.message}`).toMatch(new RegExp(`^${code}: `));
  return error.message;
}

describe.each<CardKind>(['soft', 'jcardsim'])('%s', (each) => {
  beforeEach(async () => {
    kind = each;
    await insertBlankCard();
    cardId = await makeCard();
  });

  describe('personalise', () => {
    test('makes a blank card active, with its id, currency and maximum', async () => {
      expect(toHex(cardId)).toBe('0a1b2c0100000001');
      expect(await module.select()).toMatchObject({ life: 'active', currency: 840, cardId });
      expect(await module.purse()).toMatchObject({ loaded: 0n, maximumBalance: 500n * UNIT });
    });

    test('takes a card once, without spending a card id on the second attempt', async () => {
      await expectRefusal(makeCard(), 'NOT_BLANK');
      await insertBlankCard();
      expect(toHex(await makeCard())).toBe('0a1b2c0100000002');
    });

    test('gives no card id twice, though the card was pulled before it had the first', async () => {
      await insertBlankCard();
      channel.fail(INS.STORE_DATA, 'command lost');
      await expectRefusal(makeCard(), 'CARD_GONE');
      await connect();
      expect(toHex(await makeCard())).toBe('0a1b2c0100000003');
      expect((await load(10n * UNIT)).balance).toBe(10n * UNIT);
    });

    test.each([
      ['STORE_DATA', 'answer lost', 0],
      ['PUT_KEY', 'command lost', 0],
      ['PUT_KEY', 'answer lost', 0],
      ['STORE_DATA', 'command lost', 1],
      ['STORE_DATA', 'answer lost', 1],
      ['SET_STATUS', 'command lost', 0],
      ['SET_STATUS', 'answer lost', 0],
    ] as const)('goes on where a card stood that was pulled at %s, %s, after %i of them', async (ins, fault, after) => {
      await insertBlankCard();
      channel.fail(INS[ins], fault, after);
      await expectRefusal(makeCard(), 'CARD_GONE');
      await connect();
      if (ins === 'SET_STATUS' && fault === 'answer lost') await expectRefusal(makeCard(), 'NOT_BLANK');
      else expect(toHex(await makeCard())).toBe('0a1b2c0100000002');
      expect((await load(10n * UNIT)).balance).toBe(10n * UNIT);
    });

    test('leaves no card with the keys that everyone knows', async () => {
      await module.select();
      const known = openSecureChannel(channel, TEST_KEY_SET);
      await expect(known).rejects.toMatchObject({ code: 'NO_KEY_SET' });
    });

    test('refuses a card that was installed with other keys, and spends no card id on it', async () => {
      await insertBlankCard();
      await module.select();
      const other = { ...TEST_KEY_SET, version: 5, enc: new Uint8Array(16) };
      await putKey(await openSecureChannel(channel, TEST_KEY_SET), TEST_KEY_SET, other);
      await expectRefusal(makeCard(), 'CHANNEL_KEYS');
      const wanted = { moduleClass: 'card', currency: 840, maximumBalance: UNIT, maximumUnacknowledged: UNIT } as const;
      const made = await personalise({ ...issuer, channel, installed: other, now: NOVEMBER }, wanted);
      expect(toHex(made)).toBe('0a1b2c0100000002');
    });
  });

  describe('administration', () => {
    test('blocks, unblocks and ends a card', async () => {
      const setTo = (life: 'active' | 'blocked' | 'terminated') =>
        setLife({ channel: channel, keys: issuer.keys, accounts: issuer.accounts }, life);
      const life = async () => (await module.select()).life;
      expect(await setTo('blocked')).toEqual(cardId);
      expect(await life()).toBe('blocked');
      await expectRefusal(load(UNIT), 'NOT_IN_USE');
      await setTo('active');
      await load(UNIT);
      await setTo('terminated');
      expect((await module.purse()).balance).toBe(UNIT);
      await expectRefusal(setTo('active'), 'NOT_IN_USE');
    });

    test('gives a new PIN to a card whose PIN is blocked', async () => {
      const pin = (digits: string) =>
        setPin({ channel: channel, keys: issuer.keys, accounts: issuer.accounts }, encodePin(digits));
      await pin('1234');
      await expect(module.verifyPin(encodePin('0000'))).rejects.toMatchObject({ status: 0x63c2 });
      await expect(module.verifyPin(encodePin('0000'))).rejects.toMatchObject({ status: 0x63c1 });
      await expect(module.verifyPin(encodePin('0000'))).rejects.toMatchObject({ status: 0x63c0 });
      await expectRefusal(module.verifyPin(encodePin('1234')), 'PIN_BLOCKED');
      await pin('9876');
      await module.verifyPin(encodePin('9876'));
    });

    test('spends no card id when a master is missing, or an amount does not fit', async () => {
      await insertBlankCard();
      await expectRefusal(makeCard(issuer, 2n ** 39n), 'OUT_OF_RANGE');
      await copyFile(join(issuer.store, 'load.key'), join(issuer.store, 'load.away'));
      await rm(join(issuer.store, 'load.key'));
      await expectRefusal(makeCard(), 'NO_MASTER');
      await copyFile(join(issuer.store, 'load.away'), join(issuer.store, 'load.key'));
      expect(toHex(await makeCard())).toBe('0a1b2c0100000002');
    });
  });

  describe('load', () => {
    test('adds to the purse and to the accounts', async () => {
      expect(await load(10n * UNIT)).toEqual({
        cardId,
        amount: 10n * UNIT,
        refund: 0n,
        balance: 10n * UNIT,
        repeated: false,
      });
      expect(await load(1n)).toMatchObject({ balance: 10n * UNIT + 1n });
      expect(await module.purse()).toMatchObject({ loaded: 10n * UNIT + 1n, loadNumber: 2 });
      expect(await issuer.accounts.lastOrder(cardId)).toMatchObject({ number: 2, asked: 1n, proved: true });
      expect(new Set(ordersSent()).size).toBe(2);
    });

    test('loads once when the proof was lost, with the same octets', async () => {
      channel.fail(INS.LOAD_CREDIT, 'answer lost');
      await expectRefusal(load(10n * UNIT), 'CARD_GONE');
      expect(await module.purse()).toMatchObject({ loaded: 10n * UNIT });
      expect(await load(10n * UNIT)).toMatchObject({ balance: 10n * UNIT, repeated: true });
      const [first, again, ...others] = ordersSent();
      expect(again).toBe(first);
      expect(others).toEqual([]);
      expect(await module.purse()).toMatchObject({ loaded: 10n * UNIT, loadNumber: 1 });
      // And from here on it is a new load.
      expect(await load(10n * UNIT)).toMatchObject({ balance: 20n * UNIT, repeated: false });
    });

    test('signs the same order again when it crashed between writing it down and sending it', async () => {
      channel.fail(INS.LOAD_CREDIT, 'command lost');
      await expectRefusal(load(10n * UNIT), 'CARD_GONE');
      const order = await issuer.accounts.lastOrder(cardId);
      expect(order).toMatchObject({ number: 1, asked: 10n * UNIT, proved: false });
      // A new process knows only what is on disk.
      await issuer.accounts.close();
      issuer.accounts = await Accounts.open(issuer.store);
      expect(await load(10n * UNIT)).toMatchObject({ balance: 10n * UNIT, repeated: true });
      expect(await issuer.accounts.lastOrder(cardId)).toEqual({ ...order, proved: true });
      expect(ordersSent()[0]).toContain(toHex(order?.loadId ?? new Uint8Array()));
    });

    test('finishes an open load first, and says that another amount was not loaded', async () => {
      channel.fail(INS.LOAD_CREDIT, 'command lost');
      await expectRefusal(load(10n * UNIT), 'CARD_GONE');
      expect(await expectRefusal(load(20n * UNIT), 'EARLIER_LOAD')).toContain(' 10.00 USD ');
      expect(await module.purse()).toMatchObject({ loaded: 10n * UNIT, loadNumber: 1 });
      expect(await load(20n * UNIT)).toMatchObject({ balance: 30n * UNIT, repeated: false });
    });

    test('two processes that both hold the same S1 sign the same order', async () => {
      const accounts = await Accounts.open(issuer.store);
      const bothAsked = meetingOf(2);
      const bothOrdered = meetingOf(2);
      const transmit = async (command: Uint8Array) => {
        if (command[1] === INS.LOAD_CREDIT) await bothOrdered();
        const answer = await channel.transmit(command);
        if (command[1] === INS.START_LOAD) await bothAsked();
        return answer;
      };
      const slow = new DecodeModule({ atr: channel.atr, transmit, close: () => channel.close() });
      const request = { amount: 10n * UNIT, currency: 840, refundCap: 0n };
      const results = await Promise.all(
        [issuer.accounts, accounts].map((own) =>
          loadCredit({ module: slow, keys: issuer.keys, accounts: own, now: NOVEMBER }, request),
        ),
      );
      await accounts.close();
      expect(new Set(results.map(({ repeated }) => repeated))).toEqual(new Set([false, true]));
      expect(new Set(ordersSent()).size).toBe(1);
      expect(await module.purse()).toMatchObject({ loaded: 10n * UNIT, loadNumber: 1 });
    });

    test('refuses what the card would, before a number is used for it', async () => {
      await load(499n * UNIT);
      expect(await expectRefusal(load(UNIT + 1n), 'OVER_MAXIMUM')).toContain(' 1.00 USD');
      expect(ordersSent()).toHaveLength(1);
      expect(await load(UNIT)).toMatchObject({ balance: 500n * UNIT });
      await expectRefusal(load(0n), 'NOTHING_TO_LOAD');
      const euros = { amount: UNIT, currency: 978, refundCap: 0n };
      await expectRefusal(loadCredit({ ...issuer, module, now: NOVEMBER }, euros), 'WRONG_CURRENCY');
    });

    test('needs the load master alone', async () => {
      for (const name of MASTERS.filter((other) => other !== 'load')) await rm(join(issuer.store, `${name}.key`));
      expect(await load(UNIT)).toMatchObject({ balance: UNIT });
    });

    test('believes no S1 and no S3 that was changed on the way', async () => {
      channel.fail(INS.START_LOAD, (answer) => answer.with(20, 1));
      await expectRefusal(load(UNIT), 'FORGED');
      expect(await issuer.accounts.lastOrder(cardId)).toBeUndefined();
      channel.fail(INS.LOAD_CREDIT, (answer) => answer.with(25, 7));
      await expectRefusal(load(UNIT), 'FORGED');
      expect(await issuer.accounts.lastOrder(cardId)).toMatchObject({ proved: false });
      expect(await load(UNIT)).toMatchObject({ balance: UNIT, repeated: true });
    });
  });

  describe('torn credit', () => {
    beforeEach(() => load(100n * UNIT));

    test('comes back with the next load, once', async () => {
      await tear();
      expect(await load(10n * UNIT)).toMatchObject({ amount: 10n * UNIT, refund: UNIT, balance: 110n * UNIT });
      expect(await module.purse()).toMatchObject({ loaded: 111n * UNIT, spent: UNIT, torn: UNIT });
      expect(await load(10n * UNIT)).toMatchObject({ refund: 0n });
    });

    test('comes back alone', async () => {
      await tear();
      expect(await load(0n)).toMatchObject({ amount: 0n, refund: UNIT, balance: 100n * UNIT });
    });

    test('comes back up to the cap of a month, the rest in the next', async () => {
      for (let i = 0; i < 7; i++) await tear();
      expect(await load(UNIT)).toMatchObject({ refund: 5n * UNIT });
      expect(await load(UNIT, { now: DECEMBER - 1 })).toMatchObject({ refund: 0n });
      expect(await load(UNIT, { now: DECEMBER })).toMatchObject({ refund: 2n * UNIT });
      expect(await load(UNIT, { now: DECEMBER })).toMatchObject({ refund: 0n });
      const { loaded, balance, torn } = await module.purse();
      expect({ loaded, balance, torn }).toEqual({ loaded: 111n * UNIT, balance: 104n * UNIT, torn: 7n * UNIT });
    });

    test('is not given twice when the proof of the refund was lost', async () => {
      await tear();
      channel.fail(INS.LOAD_CREDIT, 'answer lost');
      await expectRefusal(load(UNIT), 'CARD_GONE');
      await tear();
      expect(await load(UNIT)).toMatchObject({ refund: UNIT, repeated: true });
      expect(await load(UNIT)).toMatchObject({ refund: UNIT, repeated: false });
      expect(await module.purse()).toMatchObject({ loaded: 104n * UNIT, torn: 2n * UNIT });
    });

    test('never passes the maximum balance: what does not fit waits', async () => {
      await tear();
      expect(await load(400n * UNIT + UNIT / 2n)).toMatchObject({ refund: UNIT / 2n, balance: 500n * UNIT });
      await session(2);
      expect(await load(0n)).toMatchObject({ refund: UNIT / 2n, balance: 500n * UNIT });
    });
  });

  describe('collect', () => {
    beforeEach(() => load(100n * UNIT));

    test('keeps the receipts and lets the card forget them', async () => {
      await session(5);
      await session(1);
      const { receipts } = await collect();
      expect(receipts).toMatchObject([
        { number: 1, octets: 5_000_000, amount: 1_250_000n, torn: 0n, reason: 'closed' },
        { number: 2, octets: 1_000_000, amount: 250_000n, torn: 0n, reason: 'closed' },
      ]);
      expect(await module.purse()).toMatchObject({ receiptsWritten: 2, receiptsDue: 0, unacknowledged: 0n });
      expect(await issuer.accounts.receiptTotals(cardId)).toEqual({ last: 2, amount: 1_500_000n, torn: 0n });
    });

    test('counts what was torn', async () => {
      await session(5);
      await tear(5);
      const { receipts } = await collect();
      expect(receipts.map(({ number, reason, amount, torn }) => ({ number, reason, amount, torn }))).toEqual([
        { number: 1, reason: 'closed', amount: 1_250_000n, torn: 0n },
        { number: 2, reason: 'torn', amount: UNIT, torn: UNIT },
      ]);
      expect(await issuer.accounts.receiptTotals(cardId)).toEqual({ last: 2, amount: 2_250_000n, torn: UNIT });
      expect((await collect()).receipts).toEqual([]);
    });

    test('goes on where it was interrupted', async () => {
      await session(5);
      channel.fail(INS.ACKNOWLEDGE_RECEIPTS, 'command lost');
      await expectRefusal(collect(), 'CARD_GONE');
      expect(await issuer.accounts.receiptTotals(cardId)).toMatchObject({ last: 1 });
      expect(await module.purse()).toMatchObject({ receiptsDue: 1 });
      expect((await collect()).receipts).toEqual([]);
      expect(await module.purse()).toMatchObject({ receiptsDue: 0 });
    });

    test('takes a full ring', async () => {
      for (let i = 0; i < 32; i++) await session(1);
      const { receipts } = await collect();
      expect(receipts.map(({ number }) => number)).toEqual(Array.from({ length: 32 }, (_, index) => index + 1));
    });

    test('keeps nothing of a receipt that was changed, and acknowledges nothing', async () => {
      await session(5);
      channel.fail(INS.GET_RECEIPT, (answer) => answer.with(61, 1));
      await expectRefusal(collect(), 'FORGED');
      expect(await issuer.accounts.receiptTotals(cardId)).toMatchObject({ last: 0 });
      await module.select();
      expect(await module.purse()).toMatchObject({ receiptsDue: 1 });
    });

    test('needs the receipt master alone', async () => {
      await session(5);
      for (const name of MASTERS.filter((other) => other !== 'receipt')) await rm(join(issuer.store, `${name}.key`));
      expect((await collect()).receipts).toHaveLength(1);
    });
  });

  describe('the wrong card, the wrong accounts', () => {
    test('a blank card and a foreign one', async () => {
      const other = await startIssuer(ISSUER + 1);
      const namesake = await startIssuer(ISSUER);
      try {
        await expectRefusal(load(UNIT, { from: other }), 'WRONG_ISSUER');
        await expectRefusal(collect(other), 'WRONG_ISSUER');
        await expectRefusal(load(UNIT, { from: namesake }), 'NOT_IN_ACCOUNTS');
        await insertBlankCard();
        await expectRefusal(load(UNIT), 'BLANK');
        // A card of the namesake has the card id of ours, and other keys.
        await makeCard(namesake);
        await expectRefusal(load(UNIT), 'FORGED');
      } finally {
        await other.close();
        await namesake.close();
      }
    });

    test.each([
      ['another amount', 20n * UNIT],
      ['the same amount', 10n * UNIT],
    ])('two copies of the accounts that ordered apart, %s', async (_, amount) => {
      const file = join(issuer.store, 'accounts.sqlite');
      await copyFile(file, `${file}.copy`);
      channel.fail(INS.LOAD_CREDIT, 'command lost');
      await expectRefusal(load(10n * UNIT), 'CARD_GONE');
      await copyFile(file, `${file}.ours`);
      await replaceAccounts(`${file}.copy`);
      await load(amount);
      await replaceAccounts(`${file}.ours`);
      const signed = ordersSent().length;
      await expectRefusal(load(10n * UNIT), 'ACCOUNTS_DISAGREE');
      expect(ordersSent()).toHaveLength(signed);
    });

    test('accounts that were changed sign nothing', async () => {
      await load(10n * UNIT);
      using database = new DatabaseSync(join(issuer.store, 'accounts.sqlite'));
      database.exec('UPDATE load_order SET asked = asked - 1');
      await expectRefusal(load(10n * UNIT), 'ACCOUNTS_DISAGREE');
      expect(ordersSent()).toHaveLength(1);
    });

    test('accounts that were rolled back sign nothing', async () => {
      await load(10n * UNIT);
      const file = join(issuer.store, 'accounts.sqlite');
      await copyFile(file, `${file}.old`);
      await load(10n * UNIT);
      await replaceAccounts(`${file}.old`);
      const signed = ordersSent().length;
      await expectRefusal(load(10n * UNIT), 'ACCOUNTS_BEHIND');
      expect(ordersSent()).toHaveLength(signed);
    });
  });
});

describe('a card that was put back to an older state', () => {
  let eeprom: CardStore;
  let older: CardStore;

  beforeEach(async () => {
    eeprom = makeCardMemory();
    use(new SoftChannel(new SoftCard(eeprom)));
    cardId = await makeCard();
    await load(10n * UNIT);
    older = makeCardMemory(eeprom.load());
  });

  function putBack(): void {
    use(new SoftChannel(new SoftCard(older)));
  }

  test('before a load that it proved: gets no credit', async () => {
    await load(UNIT);
    putBack();
    await expectRefusal(load(UNIT), 'CARD_ROLLED_BACK');
  });

  test('before it spent what it had shown: gets no credit', async () => {
    await session(5);
    channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expectRefusal(load(UNIT), 'CARD_GONE');
    putBack();
    await expectRefusal(load(UNIT), 'CARD_ROLLED_BACK');
    expect(ordersSent()).toEqual([]);
  });

  test('before receipts that were collected: is found out by their number or their sum', async () => {
    await session(5);
    await collect();
    putBack();
    await expectRefusal(collect(), 'CARD_ROLLED_BACK');
    await session(1);
    await session(1);
    await expectRefusal(collect(), 'RECEIPTS_DISAGREE');
    expect(await issuer.accounts.receiptTotals(cardId)).toMatchObject({ last: 1, amount: 1_250_000n });
  });
});

describe('a soft module', () => {
  let eeprom: CardStore;

  beforeEach(async () => {
    eeprom = makeCardMemory();
    use(new SoftChannel(new SoftCard(eeprom)));
    const wanted = { moduleClass: 'soft', currency: 840, maximumBalance: 500n * UNIT } as const;
    const all = { ...wanted, maximumUnacknowledged: 500n * UNIT };
    cardId = await personalise({ ...issuer, channel, installed: TEST_KEY_SET, now: NOVEMBER }, all);
  });

  function limit(amount: bigint, softLimit = 10n * UNIT): Promise<{ creditLimit: bigint }> {
    return setCreditLimit({ ...issuer, module, now: NOVEMBER }, { amount, currency: 840, softLimit });
  }

  test('is trusted with a small amount, its credit limit included', async () => {
    await load(7n * UNIT);
    expect(await expectRefusal(load(4n * UNIT), 'OVER_MAXIMUM')).toContain(' 3.00 USD');
    expect(await expectRefusal(limit(4n * UNIT), 'OVER_MAXIMUM')).toContain(' 3.00 USD');
    await limit(2n * UNIT);
    expect(await expectRefusal(load(2n * UNIT), 'OVER_MAXIMUM')).toContain(' 1.00 USD');
    expect(await load(UNIT)).toMatchObject({ balance: 8n * UNIT });
    expect(ordersSent()).toHaveLength(3);
  });

  test('gets each grant against the receipts of the last', async () => {
    await load(10n * UNIT);
    await session(8);
    expect(await expectRefusal(load(2n * UNIT), 'RECEIPTS_FIRST')).toContain('tollcast issuer collect');
    expect(await expectRefusal(limit(UNIT), 'RECEIPTS_FIRST')).toContain('tollcast issuer collect');
    await collect();
    expect(await load(2n * UNIT)).toMatchObject({ balance: 10n * UNIT });
  });

  test('that was put back is blocked in the accounts, and stays so', async () => {
    await load(5n * UNIT);
    const older = makeCardMemory(eeprom.load());
    await session(4);
    await collect();
    await load(UNIT);
    use(new SoftChannel(new SoftCard(older)));
    await expectRefusal(load(UNIT), 'CARD_ROLLED_BACK');
    use(new SoftChannel(new SoftCard(eeprom)));
    await expectRefusal(load(UNIT), 'WITHDRAWN');
    await expectRefusal(limit(UNIT), 'WITHDRAWN');
    const on = { channel, keys: issuer.keys, accounts: issuer.accounts };
    await setLife(on, 'blocked');
    await expectRefusal(setLife(on, 'active'), 'WITHDRAWN');
  });

  test('whose receipts fork is blocked in the accounts', async () => {
    await load(5n * UNIT);
    const older = makeCardMemory(eeprom.load());
    await session(4);
    await collect();
    use(new SoftChannel(new SoftCard(older)));
    await session(1);
    await session(1);
    await expectRefusal(collect(), 'RECEIPTS_DISAGREE');
    await expectRefusal(load(UNIT), 'WITHDRAWN');
  });
});

describe('a line of credit', () => {
  beforeEach(async () => {
    kind = 'soft';
    await insertBlankCard();
    cardId = await makeCard();
  });

  function limit(amount: bigint): Promise<{ creditLimit: bigint; balance: bigint; repeated: boolean }> {
    return setCreditLimit({ ...issuer, module, now: NOVEMBER }, { amount, currency: 840 });
  }

  test('is set once though the proof was lost, and by the same octets', async () => {
    channel.fail(INS.LOAD_CREDIT, 'answer lost');
    await expectRefusal(limit(3n * UNIT), 'CARD_GONE');
    expect(await limit(3n * UNIT)).toMatchObject({ creditLimit: 3n * UNIT, balance: 0n, repeated: true });
    expect(new Set(ordersSent()).size).toBe(1);
    expect(await module.purse()).toMatchObject({ loaded: 0n, loadNumber: 1 });
    expect(await module.log(0)).toMatchObject({ creditLimit: 3n * UNIT, limitLoaded: true });
  });

  test('that is still open is set before a load, which says so', async () => {
    channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expectRefusal(limit(3n * UNIT), 'CARD_GONE');
    expect(await expectRefusal(load(3n * UNIT), 'EARLIER_LOAD')).toContain('credit limit of 3.00 USD');
    expect(await module.purse()).toMatchObject({ loaded: 0n, loadNumber: 1 });
    expect(await load(3n * UNIT)).toMatchObject({ balance: 3n * UNIT, repeated: false });
  });

  test('never passes what the card can count, before a number is used for it', async () => {
    await expectRefusal(limit(2n ** 39n - 500n * UNIT), 'OVER_MAXIMUM');
    expect(ordersSent()).toEqual([]);
    expect(await limit(2n ** 39n - 1n - 500n * UNIT)).toMatchObject({ repeated: false });
  });
});
