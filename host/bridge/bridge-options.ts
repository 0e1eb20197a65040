import type { CardChannel } from '../../apdu/card-channel.ts';
import type { ClearSink } from '../stream/opening/clear-sink.ts';
import type { AssemblerOptions } from '../stream/opening/group-assembler.ts';
import type { AeadFactory } from '../stream/packet/packet-aead.ts';
import type { BridgeStatus } from './bridge-status.ts';
import type { Bill } from './card-session.ts';
import type { StopReason } from './stop-reason.ts';

export interface BridgeOptions {
  /** Opens the card: at the start, and again whenever it has gone. It may wait for it. */
  readonly open: (signal: AbortSignal) => Promise<CardChannel>;
  readonly sink: ClearSink;
  readonly aead: AeadFactory;
  /** Number of the one service that is opened and paid; by default that of the first group that the card opens. */
  readonly service?: number | undefined;
  /** PIN of the card, as `encodePin` makes it; presented whenever the card is selected, until the card refuses it once. */
  readonly pin?: Uint8Array | undefined;
  /** Go on when credit has been loaded, receipts were collected or the spend limit was raised, instead of ending. */
  readonly waitForCredit?: boolean;
  /** Least part of a damaged group's octets, in percent, for which it is paid at all; 50 by default. */
  readonly minShare?: number;
  /** ms between looks into the purse while it is being used; 1000 by default. */
  readonly purseEvery?: number;
  /** Bounds and times of the reorder buffer. */
  readonly stream?: Partial<Omit<AssemblerOptions, 'onDrop'>>;
  /** Told when the state or its reason changes. */
  readonly onState?: (status: BridgeStatus) => void;
  /** Given the card's word, 48 octets, that it took a message under its unique key; for the head-end, each once. */
  readonly onConfirm?: (confirm: Uint8Array) => void;
  /** Told once of what the user may want to do something about, in one line. */
  readonly onNotice?: (line: string) => void;
}

/** Why a run ended. */
export type EndCode = 'BYE' | 'STOPPED' | StopReason | 'PIN_NEEDED' | 'CARD_FAULT';

export interface BridgeEnd {
  readonly code: EndCode;
  readonly message: string;
  /** As the card signed it; undefined when it was not there at the end: it settles when it is inserted again. */
  readonly bill: Bill | undefined;
}
