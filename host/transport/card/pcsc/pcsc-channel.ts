import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { CardGoneError } from '../../../../apdu/errors.ts';
import { SerialQueue } from '../serial-queue.ts';
import { PcscError, pcscErrorOf, SCARD } from './pcsc-error.ts';
import type { PcscHandle } from './pcscd.ts';
import { type CardConnection, countEvents, type Reader } from './pcsclite-reader.ts';
import { enterPin } from './pin-pad.ts';
import { transmitOverT0 } from './t0-mapping.ts';

/** GET RESPONSE: a card answers it, whatever it is, and there is nothing for it to do. */
const GET_RESPONSE = Uint8Array.of(0x00, 0xc0, 0x00, 0x00, 0x00);

/**
 * A channel to the one card that was in the reader when it was opened. A reader outlives its cards, so the channel
 * watches the reader's count of cards that came and went. When the count moves, or the card is reset or leaves in
 * mid-command, the channel is over, and no later command reaches the next card.
 */
export class PcscChannel implements CardChannel {
  readonly atr: Uint8Array;
  /** Name of the reader. */
  readonly reader: string;
  readonly #reader: Reader;
  readonly #connection: CardConnection;
  readonly #events: number;
  readonly #handle: PcscHandle;
  readonly #queue = new SerialQueue();
  #lost: CardGoneError | undefined;
  #closed: Promise<void> | undefined;

  /**
   * @param events the reader's count of cards that came and went, as it was before `connection` was made.
   * @param handle released when the channel is closed.
   */
  constructor(reader: Reader, connection: CardConnection, events: number, handle: PcscHandle) {
    this.atr = reader.atr;
    this.reader = reader.name;
    this.#reader = reader;
    this.#connection = connection;
    this.#events = events;
    this.#handle = handle;
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    return this.#queue.run(() =>
      this.#connection.protocol === 'T=0' ? transmitOverT0(command, (tpdu) => this.#send(tpdu)) : this.#send(command),
    );
  }

  enterPin(command: Uint8Array): Promise<Uint8Array> {
    return this.#queue.run(() => this.#ask(() => enterPin(this.#connection, this.reader, command)));
  }

  #send(command: Uint8Array): Promise<Uint8Array> {
    return this.#ask(() => this.#connection.transmit(command));
  }

  async #ask(ask: () => Promise<Uint8Array>): Promise<Uint8Array> {
    this.#requireSameCard();
    let answer: Uint8Array;
    try {
      answer = await ask();
    } catch (error) {
      if (error instanceof PcscError && error.isCardLost) throw this.#end(error);
      throw error;
    }
    // pcscd reports success without an answer when the card left in mid-command.
    if (answer.length < 2) throw this.#end(pcscErrorOf(SCARD.REMOVED_CARD, this.reader));
    return answer;
  }

  #requireSameCard(): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#reader.gone) throw this.#end(pcscErrorOf(SCARD.READER_UNAVAILABLE, this.reader));
    if (countEvents(this.#reader.state) !== this.#events) {
      throw this.#end(pcscErrorOf(SCARD.REMOVED_CARD, this.reader));
    }
  }

  #end(cause: PcscError): CardGoneError {
    this.#lost ??= new CardGoneError(`${cause.message}; then the session starts anew`, { cause });
    void this.#connection.disconnect('leave');
    return this.#lost;
  }

  /** Resets the card, so that no key and no open session stays in it for the next program. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const wasLost = this.#lost !== undefined;
    this.#lost ??= new CardGoneError('the channel to the card is closed; open the card again');
    const isThere = !wasLost && (await this.#queue.run(() => this.#isCardThere()));
    await this.#connection.disconnect(isThere ? 'reset' : 'leave');
    this.#handle.release();
  }

  /**
   * A card that left, and came back before pcscd looked again, must not be reset: the reset fails, pcscd then takes
   * the reader for empty, and as it never saw the card leave it does not see it come back either.
   */
  async #isCardThere(): Promise<boolean> {
    if (this.#reader.gone || countEvents(this.#reader.state) !== this.#events) return false;
    return this.#connection.transmit(GET_RESPONSE).then(
      (answer) => answer.length >= 2,
      () => false,
    );
  }
}
