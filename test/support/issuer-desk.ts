import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, expect } from 'vitest';
import type { CardChannel } from '../../apdu/card-channel.ts';
import type { ModuleClass } from '../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { INS } from '../../apdu/decode-module/instruction.ts';
import { TollcastError } from '../../apdu/errors.ts';
import { toHex } from '../../apdu/octets.ts';
import type { ChannelKeySet } from '../../apdu/secure-channel/scp03-keys.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import {
  type CardKind,
  type CardStore,
  SoftCard,
  type SimulatedCard,
  startCard,
  type StartCardOptions,
} from '../../card-sim/index.ts';
import { Accounts } from '../../host/issuer/cards/accounts.ts';
import type { Administration } from '../../host/issuer/cards/card-administration.ts';
import { personalise } from '../../host/issuer/cards/personalisation.ts';
import {
  type CreditLimitResult,
  loadCredit,
  type LoadResult,
  setCreditLimit,
} from '../../host/issuer/orders/credit.ts';
import { type Collection, collectReceipts } from '../../host/issuer/orders/receipts.ts';
import { SoftChannel } from '../../host/transport/card/soft/soft-channel.ts';
import { FaultyChannel, type IssuerFixture, startIssuer, watch, type WatchedService } from './issuer-fixture.ts';

export const ISSUER = 0x0a1b2c;
export const UNIT = 1_000_000n;
/** The fifth of one month, and the first second of the next; seconds since 1970. */
export const NOVEMBER = Date.UTC(2026, 10, 5) / 1000;
export const DECEMBER = Date.UTC(2026, 11) / 1000;

/** An issuer at work, with one card at a time in its reader. Purses are in USD. */
export class IssuerDesk {
  readonly issuer: IssuerFixture;
  readonly #started = new AsyncDisposableStack();
  #card: SimulatedCard | undefined;
  #channel: FaultyChannel | undefined;
  #cardId: Uint8Array | undefined;
  #copies = 0;

  private constructor(issuer: IssuerFixture) {
    this.issuer = issuer;
  }

  static async open(): Promise<IssuerDesk> {
    return new IssuerDesk(await startIssuer(ISSUER));
  }

  /** With a card of this kind that it has made. */
  static async withCard(kind: CardKind): Promise<IssuerDesk> {
    const desk = await IssuerDesk.open();
    try {
      await desk.insertBlank(kind);
      await desk.makeCard();
      return desk;
    } catch (error) {
      await desk.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#started.disposeAsync();
    await this.issuer.close();
  }

  get accounts(): Accounts {
    return this.issuer.accounts;
  }

  /** Of the card in the reader. */
  get channel(): FaultyChannel {
    return present(this.#channel);
  }

  get module(): DecodeModule {
    return new DecodeModule(this.channel);
  }

  /** Of the card that was made last. */
  get cardId(): Uint8Array {
    return present(this.#cardId);
  }

  get administration(): Administration {
    return { channel: this.channel, keys: this.issuer.keys, accounts: this.accounts };
  }

  /** Starts a blank card and inserts it. @param options what its chip lacks. */
  async insertBlank(kind: CardKind, options: Pick<StartCardOptions, 'lacks'> = {}): Promise<void> {
    this.#card = this.#started.use(await startCard({ kind, ...options }));
    await this.reconnect();
  }

  /** Inserts the soft card whose memory this is. */
  insertMemory(memory: CardStore): void {
    this.#insert(new SoftChannel(new SoftCard(memory)));
  }

  /** Opens the started card again after its channel broke. */
  async reconnect(): Promise<void> {
    this.#insert(await present(this.#card).channel());
  }

  /** Personalises the card in the reader. @returns its card id. */
  async makeCard(
    options: {
      from?: IssuerFixture;
      moduleClass?: ModuleClass;
      maximumBalance?: bigint;
      installed?: ChannelKeySet;
    } = {},
  ): Promise<Uint8Array> {
    const {
      from = this.issuer,
      moduleClass = 'card',
      maximumBalance = 500n * UNIT,
      installed = TEST_KEY_SET,
    } = options;
    const wanted = { moduleClass, currency: 840, maximumBalance, maximumUnacknowledged: maximumBalance };
    const { keys, accounts } = from;
    this.#cardId = await personalise({ channel: this.channel, keys, accounts, installed, now: NOVEMBER }, wanted);
    return this.#cardId;
  }

  load(
    amount: bigint,
    options: { refundCap?: bigint; now?: number; from?: IssuerFixture; currency?: number } = {},
  ): Promise<LoadResult> {
    const { refundCap = 5n * UNIT, now = NOVEMBER, from = this.issuer, currency = 840 } = options;
    const { keys, accounts } = from;
    return loadCredit({ module: this.module, keys, accounts, now }, { amount, currency, refundCap });
  }

  setLimit(amount: bigint): Promise<CreditLimitResult> {
    const { module, issuer, accounts } = this;
    return setCreditLimit({ module, keys: issuer.keys, accounts, now: NOVEMBER }, { amount, currency: 840 });
  }

  collect(from = this.issuer): Promise<Collection> {
    return collectReceipts(this.module, from.keys, from.accounts);
  }

  /** A session of groups of 1,000,000 octets, 0.25 each of quanta of 1.00. It stays open. */
  async watch(groups: number): Promise<void> {
    const octets = Array<number>(groups).fill(1_000_000);
    await watch(this.module, await this.issuer.keys.open('unique'), this.cardId, octets);
  }

  async watchAndClose(groups: number): Promise<void> {
    await this.watch(groups);
    await this.module.closeSession();
  }

  /** A session of groups of these octets. It stays open. */
  async watchGroups(octets: readonly number[], service: WatchedService): Promise<void> {
    await watch(this.module, await this.issuer.keys.open('unique'), this.cardId, octets, service);
  }

  /** Pulls the card out of a session, which tears what the session had taken. */
  async tear(groups = 1): Promise<void> {
    await this.watch(groups);
    await this.pull();
  }

  /** Pulls the card out and puts it back in. */
  async pull(): Promise<void> {
    const card = present(this.#card);
    await card.pull();
    await card.insert();
    await this.reconnect();
  }

  /** Lets the power fail after so many writes of the next command. */
  async cutPower(writes: number): Promise<void> {
    await present(this.#card).cut(writes);
  }

  /** Puts the card back in after the power failed. */
  async insertAgain(): Promise<void> {
    await present(this.#card).insert();
    await this.reconnect();
  }

  /** Octets of the S2s that were sent to the card in the reader, in their order. */
  ordersSent(): string[] {
    return this.channel.sent
      .filter((command) => command[1] === INS.LOAD_CREDIT)
      .map((command) => toHex(command.subarray(5, 69)));
  }

  /** The accounts as a new process finds them. */
  async reopenAccounts(): Promise<void> {
    await this.accounts.close();
    this.issuer.accounts = await Accounts.open(this.issuer.store);
  }

  /** Keeps a copy of the accounts. @returns what puts it back. */
  async copyAccounts(): Promise<() => Promise<void>> {
    const file = join(this.issuer.store, 'accounts.sqlite');
    const copy = `${file}.${++this.#copies}`;
    await copyFile(file, copy);
    return async () => {
      await this.accounts.close();
      await copyFile(copy, file);
      this.issuer.accounts = await Accounts.open(this.issuer.store);
    };
  }

  #insert(channel: CardChannel): void {
    this.#channel = new FaultyChannel(channel);
  }
}

/** @returns the error's message. */
export async function expectRefusal(work: Promise<unknown>, code: string): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert(error instanceof TollcastError, `this was to be refused with ${code}, not ${String(error)}`);
  expect(`${error.code}: ${error.message}`).toMatch(new RegExp(`^${code}: `));
  return error.message;
}

function present<T>(value: T | undefined): T {
  assert(value !== undefined, 'no card was inserted or made yet');
  return value;
}
