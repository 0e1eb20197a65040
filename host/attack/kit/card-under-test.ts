import type { CardChannel } from '../../../apdu/card-channel.ts';
import { type CardAddress, openCard, type OpenCardOptions } from '../../transport/card/card-address.ts';

/** The card under attack, and what a host that holds it can do to it. */
export interface CardUnderTest {
  /** Class of the module, as far as its address tells. */
  readonly moduleClass: 'card' | 'soft';

  /** Resets and opens the card. A channel that was opened before must be closed first. */
  open(): Promise<CardChannel>;

  /** Present where the power can be cut inside a command; the card is out then, until `insert`. */
  readonly power?: PowerControl;

  /** Present where the host can read and write the card's whole memory. */
  readonly memory?: { read(): Uint8Array; write(image: Uint8Array): void };
}

export interface PowerControl {
  /** Cuts the power in the next command, after so many persistent writes, or after its last one. */
  cut(point: number | 'afterLast'): Promise<void>;
  insert(): Promise<void>;
}

/** The card at an address, which a host can do nothing to but send commands. */
export function cardAt(address: CardAddress, options: OpenCardOptions): CardUnderTest {
  return { moduleClass: 'card', open: () => openCard(address, options) };
}
