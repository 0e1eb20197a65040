import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { type CardStore, SoftCard } from '../../../card-sim/index.ts';
import { loadCredit } from '../../../host/issuer/orders/credit.ts';
import { collectReceipts } from '../../../host/issuer/orders/receipts.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';
import {
  makeCardMemory,
  FaultyChannel,
  issueCard,
  type IssuerFixture,
  startIssuer,
  watch,
} from '../../support/issuer-fixture.ts';

const UNIT = 1_000_000n;
const NOVEMBER = Date.UTC(2026, 10, 5) / 1000;

let issuer: IssuerFixture;
let eeprom: CardStore;
let channel: FaultyChannel;
let module: DecodeModule;
let cardId: Uint8Array;

/** A card of class card: nobody asks for its receipts before it is loaded. */
beforeEach(async () => {
  issuer = await startIssuer(0x0a1b2c);
  eeprom = makeCardMemory();
  insert(eeprom);
  cardId = await issueCard(issuer, channel, NOVEMBER);
  await load(10n * UNIT);
});

afterEach(() => issuer.close());

function insert(memory: CardStore): void {
  channel = new FaultyChannel(new SoftChannel(new SoftCard(memory)));
  module = new DecodeModule(channel);
}

function load(amount: bigint): Promise<unknown> {
  return loadCredit({ ...issuer, module, now: NOVEMBER }, { amount, currency: 840, refundCap: 5n * UNIT });
}

/** A session of groups of 1,000,000 octets, 0.25 each of quanta of 1.00. */
async function session(groups: number): Promise<void> {
  await watch(module, await issuer.keys.open('unique'), cardId, Array<number>(groups).fill(1_000_000));
}

async function closedSession(groups: number): Promise<void> {
  await session(groups);
  await module.closeSession();
}

async function expectFoundOut(): Promise<void> {
  await expect(load(UNIT)).rejects.toMatchObject({ code: 'CARD_ROLLED_BACK' });
  expect(channel.sent.map((command) => command[1])).not.toContain(INS.LOAD_CREDIT);
}

describe('a card that was put back gets no credit', () => {
  test('when the issuer has receipts that it forgot, though it never proved what they come to', async () => {
    const older = makeCardMemory(eeprom.load());
    await closedSession(5);
    await collectReceipts(module, issuer.keys, issuer.accounts);
    insert(older);
    await expectFoundOut();
  });

  test('when it has as many receipts as it proved, and has spent less', async () => {
    const older = makeCardMemory(eeprom.load());
    await closedSession(8);
    channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expect(load(UNIT)).rejects.toMatchObject({ code: 'CARD_GONE' });
    insert(older);
    await closedSession(4);
    expect(await module.purse()).toMatchObject({ spent: UNIT, receiptsWritten: 1 });
    channel.sent.length = 0;
    await expectFoundOut();
  });

  test('when what was torn is torn no more', async () => {
    const older = makeCardMemory(eeprom.load());
    await session(1);
    insert(eeprom);
    channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expect(load(UNIT)).rejects.toMatchObject({ code: 'CARD_GONE' });
    expect(await module.purse()).toMatchObject({ spent: UNIT, torn: UNIT, receiptsWritten: 1 });
    insert(older);
    await closedSession(4);
    expect(await module.purse()).toMatchObject({ spent: UNIT, torn: 0n, receiptsWritten: 1 });
    channel.sent.length = 0;
    await expectFoundOut();
  });

  test('two loads behind, though the last of them is still open', async () => {
    const older = makeCardMemory(eeprom.load());
    await load(UNIT);
    channel.fail(INS.LOAD_CREDIT, 'command lost');
    await expect(load(UNIT)).rejects.toMatchObject({ code: 'CARD_GONE' });
    const newest = makeCardMemory(eeprom.load());
    insert(older);
    await expectFoundOut();
    insert(newest);
    await expect(load(UNIT)).resolves.toMatchObject({ repeated: true });
  });
});
