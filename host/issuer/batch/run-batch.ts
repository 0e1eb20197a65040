import { randomInt } from 'node:crypto';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { MASTERS } from '../../../apdu/decode-module/keys/card-keys.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import type { SelectAnswer } from '../../../apdu/decode-module/select-answer.ts';
import { InputError, TollcastError } from '../../../apdu/errors.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import type { Accounts } from '../cards/accounts.ts';
import { type NewCard, personalise } from '../cards/personalisation.ts';
import type { KeyStore } from '../keys/key-store.ts';
import { openUplinkMaster } from '../keys/uplink-keys.ts';
import { type CreditRequest, loadCredit } from '../orders/credit.ts';
import type { BatchEntry, BatchJournal } from './batch-journal.ts';

/** A card that is to be made. */
export interface BatchCard {
  /** From 1. */
  readonly row: number;
  /** Where the card is, as it is written after `--card`. */
  readonly address: string;
  readonly wanted: Omit<NewCard, 'pin'>;
  /** Whether it gets a PIN that nobody knows yet. */
  readonly withPin: boolean;
  /** What it is loaded with; nothing when left out. */
  readonly load?: CreditRequest | undefined;
}

export interface BatchContext {
  readonly keys: KeyStore;
  readonly accounts: Accounts;
  readonly journal: BatchJournal;
  /** Key set that the cards were installed with. */
  readonly installed: ChannelKeySet;
  /** Seconds since 1970. */
  readonly now: () => number;
  /**
   * Opens the card of a row, and waits until the right one is there.
   * @param isWanted whether a card is blank, or the one that this row has begun.
   */
  readonly open: (card: BatchCard, isWanted: (answer: SelectAnswer) => boolean) => Promise<CardChannel>;
  /** Keeps the letter that tells the holder the PIN. It is on disk when this resolves. */
  readonly keepLetter: (card: string, pin: string) => Promise<void>;
  /** How many cards are worked on at a time. */
  readonly jobs: number;
  /** Called with what became of each row; also of those that were done before. */
  readonly onEntry?: ((entry: BatchEntry) => void) | undefined;
  /** Ends the batch after the cards that are being worked on. */
  readonly signal?: AbortSignal | undefined;
}

const PIN_DIGITS = 6;

/**
 * Makes the cards of a batch, several at a time, and loads them. Repeated with the same journal it goes on where it
 * stopped: no card is made or loaded twice. A card that fails does not stop the others.
 * @throws InputError when the journal is of another batch; IssuerError as opening a master does.
 */
export async function runBatch(cards: readonly BatchCard[], context: BatchContext): Promise<void> {
  for (const card of cards) requireSameBatch(card, context.journal);
  // A wrong passphrase ends the batch before the first card.
  for (const name of MASTERS.filter((other) => other !== 'uplink')) await context.keys.open(name);
  await openUplinkMaster(context.keys, context.accounts);
  const queues = [...Map.groupBy(cards, ({ address }) => address).values()];
  const work = async (): Promise<void> => {
    for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) {
      for (const card of queue) {
        if (context.signal?.aborted === true) return;
        const entry = await settle(card, context);
        if (entry === undefined) return;
        context.onEntry?.(entry);
      }
    }
  };
  await Promise.all(Array.from({ length: context.jobs }, work));
}

function requireSameBatch({ row, address }: BatchCard, journal: BatchJournal): void {
  const before = journal.last(row);
  if (before === undefined || before.address === address) return;
  throw new InputError(
    `row ${row} is ${address}, and was ${before.address} before; name another file with --results for another batch`,
  );
}

/** Makes one card. @returns what became of it, which the journal has too; undefined when the batch was stopped. */
async function settle(card: BatchCard, context: BatchContext): Promise<BatchEntry | undefined> {
  const { row, address } = card;
  const before = context.journal.last(row);
  if (before?.state === 'done') return before;
  let entry: BatchEntry;
  try {
    entry = { row, address, card: await makeCard(card, context), state: 'done' };
  } catch (error) {
    if (!(error instanceof TollcastError)) {
      // A wait for the next card was broken off.
      if (context.signal?.aborted === true) return undefined;
      throw error;
    }
    const { code, message } = error;
    entry = { row, address, card: context.journal.last(row)?.card ?? '', state: 'failed', code, message };
  }
  context.journal.add(entry);
  return entry;
}

async function makeCard(card: BatchCard, context: BatchContext): Promise<string> {
  const { row, address, wanted } = card;
  const { keys, accounts, journal, installed, now } = context;
  const begun = journal.last(row)?.card ?? '';
  const isBegun = ({ cardId }: SelectAnswer): boolean => formatCardId(cardId) === begun;
  const channel = await context.open(card, (answer) => answer.life === 'blank' || isBegun(answer));
  try {
    const module = new DecodeModule(channel);
    const answer = await module.select();
    let { cardId } = answer;
    if (answer.life !== 'active' || !isBegun(answer)) {
      const pin = card.withPin ? randomPin() : undefined;
      const onNumbered = async (numbered: Uint8Array): Promise<void> => {
        const name = formatCardId(numbered);
        journal.add({ row, address, card: name, state: 'begun' });
        // A card that is not blank any more has the PIN of the letter that was written before.
        if (pin !== undefined && answer.life === 'blank') await context.keepLetter(name, pin);
      };
      cardId = await personalise(
        { channel, keys, accounts, installed, now: now(), onNumbered },
        { ...wanted, pin: pin === undefined ? undefined : encodePin(pin) },
      );
    }
    if (card.load !== undefined && (await accounts.lastOrder(cardId))?.proved !== true) {
      await loadCredit({ module, keys, accounts, now: now() }, card.load);
    }
    return formatCardId(cardId);
  } finally {
    await channel.close();
  }
}

function randomPin(): string {
  return String(randomInt(10 ** PIN_DIGITS)).padStart(PIN_DIGITS, '0');
}
