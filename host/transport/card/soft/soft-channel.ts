import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { CardGoneError } from '../../../../apdu/errors.ts';
import type { SoftCard } from '../../../../card-sim/soft/soft-card.ts';

export interface SoftChannelOptions {
  /** Called when the power failed in a command: the card is off, and the channel is over. */
  readonly onPowerLoss?: (() => void) | undefined;
  /** Called once when the channel is closed. */
  readonly onClose?: (() => void) | undefined;
}

/** A channel to a soft card in this process. Opening it resets the card; a channel opened before must be over. */
export class SoftChannel implements CardChannel {
  readonly atr: Uint8Array;
  readonly #card: SoftCard;
  readonly #options: SoftChannelOptions;
  #over: CardGoneError | undefined;
  #closed = false;

  constructor(card: SoftCard, options: SoftChannelOptions = {}) {
    this.#card = card;
    this.#options = options;
    this.atr = card.powerOn();
  }

  // Async, so that what the card throws is a rejection; the one promise is all it costs.
  async transmit(command: Uint8Array): Promise<Uint8Array> {
    if (this.#over !== undefined) throw this.#over;
    try {
      const answer = this.#card.transmit(command);
      const synced = this.#card.sync();
      if (synced !== undefined) await synced;
      return answer;
    } catch (error) {
      // The power failed, or the card's file could not be written and RAM may not agree with it.
      this.pull();
      this.#options.onPowerLoss?.();
      throw error;
    }
  }

  /** Takes the card out: it is off, and no later command reaches it through this channel. */
  pull(): void {
    this.#end(new CardGoneError());
  }

  /** Switches the card off. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#end(new CardGoneError('the channel to the card is closed; open the card again'));
    this.#options.onClose?.();
  }

  #end(reason: CardGoneError): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.#card.powerOff();
  }
}
