import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import { parseReceipt, type Receipt, RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { MAX_SPAN, PROTOCOL_VERSION, type SelectAnswer } from '../../../apdu/decode-module/select-answer.ts';
import { CardGoneError, TollcastError } from '../../../apdu/errors.ts';
import { readUint, toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import { requireActive } from '../../holder/life.ts';
import { type Pin, presentPin } from '../../holder/pin.ts';
import { TimeLimitedChannel } from '../../transport/card/time-limit.ts';
import type { Bill } from '../run-end.ts';
import type { Resources } from './stop-reason.ts';

export interface CardSessionOptions {
  readonly open: (signal: AbortSignal) => Promise<CardChannel>;
  readonly pin: Pin | undefined;
  readonly clock: Clock;
  /** Called before each command to the card. */
  readonly onCommand: () => void;
  /** Called when the card takes long for a command, in words for the user. */
  readonly onSlow: (text: string) => void;
  /** Called when it has answered after all. */
  readonly onAnswer: () => void;
}

/** ms without an answer after which the user is told. */
const SLOW_AFTER = 2_000;
/** ms that each command may take once the run is to end. */
const MAX_LAST_COMMAND = 3_000;

/** The one card of a run, also when it is pulled out and inserted again. */
export class CardSession {
  readonly #options: CardSessionOptions;
  /** Forgotten unless the card accepts it, so that no more tries are used up unasked. */
  #pin: Pin | undefined;
  #trusted: readonly VerificationKey[] = [];
  #channel: CardChannel | undefined;
  #module: DecodeModule | undefined;
  #answer: SelectAnswer | undefined;
  #purse: PurseStatus | undefined;
  /** How many receipts the card had written when the run began. */
  #receiptsBefore: number | undefined;
  /** Service of the open session. */
  #service: number | undefined;

  constructor(options: CardSessionOptions) {
    this.#options = options;
    this.#pin = options.pin;
  }

  /**
   * Opens the card and selects its module; only an answer to SELECT proves that a card is there.
   * @throws TransportError, CardGoneError, ModuleError, FormatError as opening and SELECT do.
   * @throws TollcastError `OTHER_CARD` when it is not the card of this run; `CARD_NOT_ACTIVE`, `CARD_VERSION`; as
   *   `presentPin` does, once.
   */
  async connect(signal: AbortSignal): Promise<void> {
    await this.release();
    const channel = this.#limitTime(await this.#options.open(signal), signal);
    this.#channel = channel;
    try {
      const module = new DecodeModule(countCommands(channel, this.#options.onCommand));
      const answer = await module.select();
      this.#requireUsable(answer);
      await this.#present(module);
      this.#trusted = await module.getVerificationKeys();
      this.#purse = await module.getPurse();
      this.#receiptsBefore ??= this.#purse.receiptsWritten;
      this.#answer = answer;
      this.#module = module;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** @throws CardGoneError when no card is connected. */
  get module(): DecodeModule {
    if (this.#module === undefined) throw new CardGoneError();
    return this.#module;
  }

  /** Most octets of a span that the card takes; a card that was never connected is taken for one that takes all. */
  get maxSpan(): number {
    return this.#answer?.maxSpan ?? MAX_SPAN;
  }

  /** Card id as people write it; undefined before the first card. */
  get cardId(): string | undefined {
    return this.#answer && formatCardId(this.#answer.cardId);
  }

  /** The number by which key messages name the card. */
  get serial(): number {
    return this.#answer === undefined ? 0 : readUint(this.#answer.cardId, 4, 4);
  }

  /** As the card last showed it. */
  get purse(): PurseStatus | undefined {
    return this.#purse;
  }

  /** Whose signatures the issuer of the card trusts. */
  get trusted(): readonly VerificationKey[] {
    return this.#trusted;
  }

  /** Reads what decides whether a card that stopped would go on. */
  async readResources(): Promise<Resources> {
    const { loadNumber, receiptsDue } = await this.readPurse();
    const { spendLimit, day } = await this.module.getLog(0);
    return { loadNumber, receiptsDue, spendLimit, day };
  }

  async readPurse(): Promise<PurseStatus> {
    this.#purse = await this.module.getPurse();
    return this.#purse;
  }

  /**
   * Has the card open one group, which it charges for. A session for the service is opened first where there is none.
   * @param part the card part, as DECODE takes it.
   */
  async decode(service: number, part: Uint8Array): Promise<Uint8Array> {
    const { module } = this;
    const isNew = this.#service !== service;
    if (isNew) await this.#openSession(service);
    try {
      return await module.decode(part);
    } catch (error) {
      // Protocol 6: another program that selects the module closes our session; our keys are still there.
      if (isNew || !(error instanceof ModuleError) || error.code !== 'NOT_NOW') throw error;
      await this.#openSession(service);
      return module.decode(part);
    }
  }

  /** Closes the session: what was taken and not used goes back to the balance. */
  async settle(): Promise<PurseStatus> {
    this.#service = undefined;
    await this.module.closeSession();
    return this.readPurse();
  }

  /** Reads the bill of the run, after `settle`; undefined when no card was ever there. */
  async readBill(): Promise<Bill | undefined> {
    const purse = this.#purse;
    if (purse === undefined || this.#receiptsBefore === undefined) return undefined;
    const receipts: Receipt[] = [];
    const first = Math.max(this.#receiptsBefore, purse.receiptsWritten - RECEIPT_RING) + 1;
    for (let number = first; number <= purse.receiptsWritten; number++) {
      receipts.push(parseReceipt(await this.module.getReceipt(number)));
    }
    return {
      receipts,
      amount: receipts.reduce((sum, { amount }) => sum + amount, 0n),
      torn: receipts.reduce((sum, { torn }) => sum + torn, 0n),
      balance: purse.balance,
      currency: purse.currency,
    };
  }

  /** Closes the card, so that other programs can have it. */
  async release(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#module = undefined;
    this.#service = undefined;
    await channel?.close();
  }

  /** @param signal aborts when the run is to end. */
  #limitTime(channel: CardChannel, signal: AbortSignal): CardChannel {
    const { clock, onSlow, onAnswer } = this.#options;
    const text = `the card has not answered for ${SLOW_AFTER / 1000} s; wait, or take it out and insert it again`;
    return new TimeLimitedChannel(channel, {
      clock,
      slowAfter: SLOW_AFTER,
      onSlow: () => onSlow(text),
      onAnswer,
      signal,
      limitAfterAbort: MAX_LAST_COMMAND,
    });
  }

  async #openSession(service: number): Promise<void> {
    try {
      await this.module.openSession(service);
    } catch (error) {
      if (error instanceof ModuleError && error.code === 'NOT_NOW') requireActive(await this.module.select());
      // Protocol 8: a module that another program selects forgets the PIN.
      if (!(error instanceof ModuleError) || error.code !== 'SECURITY' || this.#pin === undefined) throw error;
      await this.#present(this.module);
      await this.module.openSession(service);
    }
    this.#service = service;
  }

  async #present(module: DecodeModule): Promise<void> {
    const pin = this.#pin;
    if (pin === undefined) return;
    this.#pin = undefined;
    await presentPin(module, pin);
    this.#pin = pin;
  }

  #requireUsable(answer: SelectAnswer): void {
    if (answer.version !== PROTOCOL_VERSION) {
      throw new TollcastError(
        'CARD_VERSION',
        `this card speaks version ${answer.version} of the protocol, not ${PROTOCOL_VERSION}; update tollcast, or the card`,
      );
    }
    requireActive(answer);
    if (this.#answer !== undefined && toHex(this.#answer.cardId) !== toHex(answer.cardId)) {
      throw new TollcastError(
        'OTHER_CARD',
        `this is another card, ${formatCardId(answer.cardId)}; insert ${formatCardId(this.#answer.cardId)} again, or stop and start anew`,
      );
    }
  }
}

function countCommands(channel: CardChannel, onCommand: () => void): CardChannel {
  return {
    atr: channel.atr,
    transmit(command) {
      onCommand();
      return channel.transmit(command);
    },
    get enterPin() {
      return channel.enterPin?.bind(channel);
    },
    close: () => channel.close(),
  };
}
