import type { PcscError } from './pcsc-error.ts';

/** What we need of a PC/SC library, and nothing more, so that another one can take the place of pcsclite. */
export interface PcscBinding {
  readonly readers: ReadonlyMap<string, BoundReader>;
  /** Why the context is dead; set at once, before the listener is told. */
  readonly failure: PcscError | undefined;
  /** Closes the context and every reader; connections are to be disconnected before. Never throws. */
  close(): void;
}

export interface BindingListener {
  /** A reader or a card came or went. */
  changed(): void;
  /** The context is dead; close it and open a new one. */
  failed(error: PcscError): void;
}

export interface BoundReader {
  readonly name: string;
  /** `SCARD_STATE_...` in the lower 16 bits, the number of cards that came and went in the upper 16. */
  readonly state: number | undefined;
  /** Of the card inside; empty without one. */
  readonly atr: Uint8Array;
  /** Unplugged, or its context closed: nothing works any more. */
  readonly gone: boolean;
  /**
   * Takes the card for this process alone.
   * @throws PcscError
   */
  connect(): Promise<Connection>;
}

export interface Connection {
  readonly protocol: 'T=0' | 'T=1';
  /**
   * One command; the answer may be empty when the card left in mid-command.
   * @throws PcscError
   */
  transmit(command: Uint8Array): Promise<Uint8Array>;
  /** Lets the card go, reset or as it is. Never throws; doing it twice does nothing. */
  disconnect(disposition: 'reset' | 'leave'): Promise<void>;
}

/** `SCARD_STATE_...` of winscard.h. */
export const READER_STATE = { UNAVAILABLE: 0x08, PRESENT: 0x20, EXCLUSIVE: 0x80, IN_USE: 0x100, MUTE: 0x200 } as const;

/** Rises with every card that comes and every card that goes. */
export function eventCounter(state: number | undefined): number {
  return (state ?? 0) >>> 16;
}
