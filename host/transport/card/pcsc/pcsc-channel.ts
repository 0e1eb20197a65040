import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { CardGoneError } from '../../../../apdu/errors.ts';
import { PcscError, pcscErrorOf, SCARD } from './pcsc-error.ts';
import { eventCounter, type BoundReader, type Connection } from './pcsc-port.ts';
import type { Lease } from './pcsc-service.ts';
import { transmitOverT0 } from './t0-mapping.ts';
import { Turns } from './serial-queue.ts';

/** SELECT without a name: every card has an answer to it, and none keeps anything of it. */
const SELECT_NOTHING = Uint8Array.of(0x00, 0xa4, 0x04, 0x00, 0x00);

/**
 * A session with the one card that was in the reader when it was opened. A reader outlives its cards, so the session
 * is bound to the reader's count of cards that came and went: when that moves, or the card is reset or leaves in
 * mid-command, the session is over, and no later command reaches the next card.
 */
export class PcscChannel implements CardChannel {
  readonly atr: Uint8Array;
  /** Name of the reader. */
  readonly reader: string;
  readonly #bound: BoundReader;
  readonly #connection: Connection;
  readonly #counter: number;
  readonly #lease: Lease;
  readonly #turns = new Turns();
  #lost: CardGoneError | undefined;

  /** @param counter the reader's event counter as it was before `connection` was made. */
  constructor(bound: BoundReader, connection: Connection, counter: number, lease: Lease) {
    this.atr = bound.atr;
    this.reader = bound.name;
    this.#bound = bound;
    this.#connection = connection;
    this.#counter = counter;
    this.#lease = lease;
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    return this.#turns.take(() =>
      this.#connection.protocol === 'T=0' ? transmitOverT0(command, (tpdu) => this.#send(tpdu)) : this.#send(command),
    );
  }

  async #send(command: Uint8Array): Promise<Uint8Array> {
    this.#checkCard();
    let answer: Uint8Array;
    try {
      answer = await this.#connection.transmit(command);
    } catch (error) {
      if (error instanceof PcscError && error.sessionLost) throw this.#lose(error);
      throw error;
    }
    // Success with nothing in it is how a card that left in mid-command looks.
    if (answer.length < 2) throw this.#lose(pcscErrorOf(SCARD.REMOVED_CARD, this.reader));
    return answer;
  }

  #checkCard(): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#bound.gone) throw this.#lose(pcscErrorOf(SCARD.READER_UNAVAILABLE, this.reader));
    if (eventCounter(this.#bound.state) !== this.#counter) {
      throw this.#lose(pcscErrorOf(SCARD.REMOVED_CARD, this.reader));
    }
  }

  #lose(cause: PcscError): CardGoneError {
    this.#lost ??= new CardGoneError(`${cause.message}; then the session starts anew`, { cause });
    void this.#connection.disconnect('leave');
    return this.#lost;
  }

  /**
   * For up to 0.4 s pcscd connects to what a card left behind without a murmur: only an answer shows that there is one.
   * @throws PcscError when there is none.
   */
  async prove(): Promise<void> {
    try {
      await this.transmit(SELECT_NOTHING);
    } catch (error) {
      throw error instanceof CardGoneError && error.cause instanceof PcscError ? error.cause : error;
    }
  }

  /** Resets the card, so that no key and no open session stays in it for the next program. */
  async close(): Promise<void> {
    const lost = this.#lost !== undefined;
    this.#lost ??= new CardGoneError('the session with the card is closed; open the card again');
    await this.#connection.disconnect(lost ? 'leave' : 'reset');
    this.#lease.release();
  }
}
