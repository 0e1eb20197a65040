import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { CardGoneError } from '../../../../apdu/errors.ts';

/** A card that lives in this process: the soft module, or a test's own. */
export interface InProcessCard {
  /** Resets the card; its answer to reset. */
  powerOn(): Uint8Array;
  /** One command APDU, at once answered with data and status word. */
  transmit(command: Uint8Array): Uint8Array;
  /** Lets go of what the card holds: its state file. */
  close?(): void;
}

/** A session with a card in this process; opening it is a reset. */
export class InProcessChannel implements CardChannel {
  readonly atr: Uint8Array;
  readonly #card: InProcessCard;
  #closed = false;

  constructor(card: InProcessCard) {
    this.#card = card;
    this.atr = card.powerOn();
  }

  // Async, so that what the card throws is a rejection; the one promise is all it costs.
  async transmit(command: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw new CardGoneError('the session with the card is closed; open the card again');
    return this.#card.transmit(command);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#card.close?.();
  }
}
