import type { CardChannel } from '../../../apdu/card-channel.ts';

/** Where the card under attack sits, and what a host that has it in its hands can do there. */
export interface CardUnderTest {
  /** What sits there, as far as the place alone tells. */
  readonly moduleClass: 'card' | 'soft';

  /** Opens the card, which is a reset; a channel opened before must be closed. */
  open(): Promise<CardChannel>;

  /** Where the power can be cut in mid-command; the card is out then, until `insert`. */
  readonly power?: PowerControl;

  /** Where the host can read and write the card's whole memory. */
  readonly memory?: { read(): Uint8Array; write(image: Uint8Array): void };
}

export interface PowerControl {
  /** Lets the power fail in the next command, when it has made so many persistent writes, or after its last. */
  cut(point: number | 'afterLast'): Promise<void>;
  insert(): Promise<void>;
}
