import type { CardChannel } from '../../apdu/card-channel.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { CbcFactory } from '../../apdu/decode-module/keys/aes-cbc.ts';
import type { Clock } from '../clock/clock.ts';
import type { Pin } from '../holder/pin.ts';
import type { ClearSink } from '../stream/opening/clear-sink.ts';
import type { AssemblerOptions } from '../stream/opening/group-assembler.ts';
import type { AeadFactory } from '../stream/packet/packet-aead.ts';
import type { DecidePrice } from './price/price-offer.ts';
import type { BridgeStatus } from './status/bridge-status.ts';

export interface BridgeOptions {
  /** Opens the card, at the start and again whenever it has gone. It may wait for the card. */
  readonly open: (signal: AbortSignal) => Promise<CardChannel>;
  readonly sink: ClearSink;
  readonly aead: AeadFactory;
  /** Derives the keys of each group; JavaScript does it when left out. */
  readonly makeCipher?: CbcFactory | undefined;
  /** Number of the one service that is opened and paid; by default that of the first group that the card opens. */
  readonly service?: number | undefined;
  /** PIN of the card. It is presented at each SELECT, until the card refuses it once. */
  readonly pin?: Pin | undefined;
  /** Whether to wait until credit is loaded, receipts are collected or the spend limit is raised, instead of ending. */
  readonly waitForCredit?: boolean;
  /** Asked before the first toll at each price, and again when it rises. By default every price is accepted. */
  readonly decidePrice?: DecidePrice;
  /**
   * Asked before a purchase goes to the card that came by the key port, a key message; every one is loaded by default.
   * What comes in answers is its asker's business.
   */
  readonly acceptsPurchase?: (message: Uint8Array) => boolean;
  /** Percent of a damaged group's octets that must have come for the group to be paid at all; 50 by default. */
  readonly minShare?: number;
  /** ms between looks into the purse while it is being used; 1000 by default. */
  readonly purseEvery?: number;
  /** Bounds and times of the reorder buffer. */
  readonly stream?: Partial<Omit<AssemblerOptions, 'onDrop'>>;
  /** This machine's clock by default. */
  readonly clock?: Clock;
  /** Called when the state or its reason changes. */
  readonly onState?: (status: BridgeStatus) => void;
  /** Called when the card was selected, for the first time or again: then its RAM is empty. */
  readonly onCard?: () => void;
  /**
   * Asked to deliver the card's receipts when it starts nothing new without. Left out, the run ends then, or waits.
   * @returns whether they were delivered.
   */
  readonly deliverReceipts?: (module: DecodeModule) => Promise<boolean>;
  /** Called once with each confirm, 48 octets: the card's word, for the head-end, that it took a purchase. */
  readonly onConfirm?: (confirm: Uint8Array) => void;
  /** Called once with each line that the user may want to act on. */
  readonly onNotice?: (line: string) => void;
}
