import type { Socket } from 'node:net';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { TollcastError } from '../../../../apdu/errors.ts';
import { parseCommand } from '../../../../apdu/iso7816/command-apdu.ts';
import { exchange } from '../../../../apdu/iso7816/exchange.ts';
import { encodeResponse } from '../../../../apdu/iso7816/response-apdu.ts';
import type { Clock } from '../../../clock/clock.ts';
import { type Failure, readFrames, REPLY, writeFrame } from './lending-frames.ts';
import { isHarmless, isModuleSelect, SELECT_MODULE } from './lending-rules.ts';

/** ms between two commands after which a card that a program has to itself goes back to its owner. */
const MAX_IDLE_MS = 1_000;
/**
 * ms for which a program has the card to itself at most. A run that is to end gives each command of its own 3 s, and is
 * to settle all the same.
 */
const MAX_LOAN_MS = 2_500;
/** A program sends its next command when the one before is answered. */
const MAX_WAITING = 4;

/** A card as those who borrow it see it. */
export interface CardOnLoan {
  readonly clock: Clock;
  /** Gives another program the card for a time: everybody else waits until `work` has ended. */
  lend<T>(work: (channel: CardChannel) => Promise<T>): Promise<T>;
  /** What the module answers to SELECT, without asking it again where that is known. */
  readSelectAnswer(): Promise<Uint8Array>;
  /**
   * Puts the card back as its owner had it, but for the session, after another program had it to itself.
   * @returns what the module answered to SELECT.
   */
  restore(channel: CardChannel): Promise<Uint8Array>;
}

/** Another program at the socket of a card that is lent. It sees the card as one that it has opened itself. */
export class Borrower {
  /** ms by the lender's clock. */
  lastCommandAt = -Infinity;
  readonly #socket: Socket;
  readonly #lender: CardOnLoan;
  readonly #waiting: Uint8Array[] = [];
  /** Whether it has selected the module, as far as it can tell. */
  #hasSelected = false;
  #isServing = false;
  /** Tells a loan that a command came, or that the program has gone. */
  #wake: () => void = () => {};

  constructor(socket: Socket, lender: CardOnLoan) {
    this.#socket = socket;
    this.#lender = lender;
    readFrames(socket, (command) => this.#take(command));
    socket.on('close', () => this.#wake());
  }

  /** The card goes away. */
  dismiss(): void {
    this.#socket.destroy();
  }

  #take(command: Uint8Array): void {
    this.lastCommandAt = this.#lender.clock.monotonic();
    if (this.#waiting.push(command) > MAX_WAITING) return this.dismiss();
    this.#wake();
    if (!this.#isServing) void this.#serve();
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    for (let command = this.#waiting.shift(); command !== undefined; command = this.#waiting.shift()) {
      await this.#reply(() => this.#answer(command));
    }
    this.#isServing = false;
  }

  async #reply(answer: () => Promise<Uint8Array | undefined>): Promise<void> {
    try {
      const octets = await answer();
      if (octets !== undefined) writeFrame(this.#socket, Uint8Array.of(REPLY.answer), octets);
    } catch (error) {
      const code = error instanceof TollcastError ? error.code : 'UNEXPECTED';
      const failure: Failure = { code, message: error instanceof Error ? error.message : String(error) };
      writeFrame(this.#socket, Uint8Array.of(REPLY.failure), Buffer.from(JSON.stringify(failure)));
    }
  }

  /** @returns nothing when the command was answered in a loan. */
  async #answer(command: Uint8Array): Promise<Uint8Array | undefined> {
    if (isModuleSelect(command)) {
      this.#hasSelected = true;
      return this.#lender.readSelectAnswer();
    }
    const isSelect = command[1] === INS.SELECT;
    if (!isSelect && !this.#hasSelected) return encodeResponse(new Uint8Array(), STATUS.NOT_SELECTED);
    if (isHarmless(command)) {
      return this.#lender.lend((channel) => sendWhole(channel, command));
    }
    await this.#lender.lend((channel) => this.#useAlone(channel, command));
    return undefined;
  }

  /** Has the card to itself, from this command until it pauses, selects the module anew or goes. */
  async #useAlone(channel: CardChannel, first: Uint8Array): Promise<void> {
    const { clock } = this.#lender;
    const endsAt = clock.monotonic() + MAX_LOAN_MS;
    // What the owner has on the card, its session and its PIN, is not for others.
    await channel.transmit(SELECT_MODULE);
    for (let command: Uint8Array | undefined = first; command !== undefined;) {
      const one: Uint8Array = command;
      await this.#reply(() => channel.transmit(one));
      if (clock.monotonic() >= endsAt) break;
      command = await this.#awaitCommand();
      if (command !== undefined && isModuleSelect(command)) {
        return this.#reply(() => this.#lender.restore(channel));
      }
    }
    this.#hasSelected = false;
    await this.#lender.restore(channel);
  }

  /** @returns nothing when none comes in time. */
  async #awaitCommand(): Promise<Uint8Array | undefined> {
    if (this.#waiting.length === 0 && !this.#socket.destroyed) {
      const over = new AbortController();
      this.#wake = () => over.abort();
      await this.#lender.clock.sleep(MAX_IDLE_MS, over.signal).catch(() => {});
      this.#wake = () => {};
    }
    return this.#socket.destroyed ? undefined : this.#waiting.shift();
  }
}

/** Sends a command and fetches the whole of a list, in one turn. */
async function sendWhole(channel: CardChannel, command: Uint8Array): Promise<Uint8Array> {
  const { data, status } = await exchange(channel, parseCommand(command));
  return encodeResponse(data, status);
}
