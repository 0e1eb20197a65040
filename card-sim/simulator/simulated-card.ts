/// <reference lib="esnext.disposable" preserve="true" />
import type { CardChannel } from '../../apdu/card-channel.ts';

/** What can be started: the soft module, or the applet on jCardSim behind TCP or behind a PC/SC reader. */
export type CardKind = 'soft' | 'jcardsim' | 'pcsc';

export const CARD_KINDS: readonly CardKind[] = ['soft', 'jcardsim', 'pcsc'];

/** When the power is to fail in the next command: when it has made this many persistent writes, or after its last. */
export type CutPoint = number | 'afterLast';

/** What a card has done since it was started. */
export interface CardCounts {
  /** Command APDUs, refused ones too. */
  readonly commands: number;
  /** Writes to persistent memory: of the soft module atomic ones, on jCardSim every place where a cut is possible. */
  readonly persistentWrites: number;
}

/** All that a card keeps without power. */
export interface CardMemory {
  /** A copy. */
  read(): Uint8Array;
  /**
   * Puts back what `read` gave, now or earlier, which is a reset: channels to the card are over.
   * @throws FormatError when it is not a memory of this version.
   */
  write(image: Uint8Array): void;
}

/** A card that a test or a program has started, and the hand that inserts and pulls it. */
export interface SimulatedCard extends AsyncDisposable {
  readonly kind: CardKind;
  /** Where `--card` finds it: `tcp:127.0.0.1:40123`, `pcsc:READER`, `soft:FILE`; `soft` is only to be had through `channel`. */
  readonly address: string;

  /**
   * Opens the card, which is a reset. A channel opened before is void.
   * @throws TransportError when the card is not in the reader.
   */
  channel(): Promise<CardChannel>;

  /** Takes the card out, in mid-command or not: channels to it throw CardGoneError. */
  pull(): Promise<void>;

  /** Puts it back in; its persistent memory is as it was. */
  insert(): Promise<void>;

  /** Off and on again without leaving the reader: RAM is cleared, channels stay. */
  reset(): Promise<void>;

  /** Makes it a new card, blank; channels stay. */
  erase(): Promise<void>;

  /** Lets the power fail in the next command, if it makes so many writes. The card is out then, until `insert`. */
  cut(point: CutPoint): Promise<void>;

  counts(): Promise<CardCounts>;

  /** Of a soft card, whose owner can read and change all of it; no other card has a way to its memory. */
  readonly memory?: CardMemory;

  /** Stops it and all that was started for it. Closing twice does nothing. */
  close(): Promise<void>;
}

export interface StartCardOptions {
  readonly kind: CardKind;
  /** File that keeps the card from one start to the next; without it the card is new, and gone when it is closed. */
  readonly state?: string | undefined;
}
