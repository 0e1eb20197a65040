/// <reference lib="esnext.disposable" preserve="true" />
import type { CardChannel } from '../../apdu/card-channel.ts';

/** What can be started: the soft module, or the applet on jCardSim behind TCP or behind a PC/SC reader. */
export type CardKind = 'soft' | 'jcardsim' | 'pcsc';

export const CARD_KINDS: readonly CardKind[] = ['soft', 'jcardsim', 'pcsc'];

/** When the power fails in the next command: after so many persistent writes, or after its last. */
export type CutPoint = number | 'afterLast';

/** What a card has done since it was started. */
export interface CardCounts {
  /** Command APDUs, refused ones too. */
  readonly commands: number;
  /** Writes to persistent memory: atomic ones of the soft module, on jCardSim each one where a cut is possible. */
  readonly persistentWrites: number;
}

/** All that a card keeps without power. */
export interface CardMemory {
  /** A copy. */
  read(): Uint8Array;
  /**
   * Puts back what `read` gave earlier, and resets the card: channels to it are over.
   * @throws FormatError when it is not a memory of this version.
   */
  write(image: Uint8Array): void;
}

/** A card that a test or a program has started, with what a hand can do to it. */
export interface SimulatedCard extends AsyncDisposable {
  readonly kind: CardKind;
  /**
   * Its address for `--card`: `tcp:127.0.0.1:40123`, `pcsc:READER` or `soft:FILE`; `soft` where only `channel` opens
   * it.
   */
  readonly address: string;

  /**
   * Opens and resets the card. A channel opened before is over.
   * @throws TransportError when the card is not in the reader.
   */
  channel(): Promise<CardChannel>;

  /** Takes the card out, in mid-command or not: channels to it throw CardGoneError. */
  pull(): Promise<void>;

  /** Puts it back in; its persistent memory is as it was. */
  insert(): Promise<void>;

  /** Switches it off and on again in its reader: RAM is cleared, channels stay. */
  reset(): Promise<void>;

  /** Makes it a new card, blank; channels stay. */
  erase(): Promise<void>;

  /** Lets the power fail in the next command, if it makes so many writes. The card is out then, until `insert`. */
  cut(point: CutPoint): Promise<void>;

  counts(): Promise<CardCounts>;

  /** Only of a soft card, as its owner can read and change all of it. */
  readonly memory?: CardMemory;

  /** Stops it and all that was started for it. Closing twice does nothing. */
  close(): Promise<void>;
}

/** What some chips do not have: the curve, and AES-CBC-MAC as an algorithm of its own. */
export type ChipFeature = 'p256' | 'mac';

export interface StartCardOptions {
  readonly kind: CardKind;
  /** What the chip of an applet on jCardSim lacks; a soft module lacks nothing. */
  readonly lacks?: readonly ChipFeature[] | undefined;
  /**
   * Whether an applet's card is strict (default): it throws where the API may throw, and forgets at deselect how its
   * engines were initialised. jCardSim itself forgives.
   */
  readonly strict?: boolean | undefined;
  /** Whether an applet's card speaks T=0, where nothing tells it that a command has no data; false unless told. */
  readonly t0?: boolean | undefined;
  /** File that keeps the card from one start to the next; without it the card is new, and gone when it is closed. */
  readonly state?: string | undefined;
  /** Octets of its APDU buffer, 133 to 261 (default); what follows from it is in protocol 2.1. */
  readonly apduBuffer?: number | undefined;
}
