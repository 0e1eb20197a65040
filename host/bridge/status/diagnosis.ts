import type { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import type { ClearSink } from '../../stream/opening/clear-sink.ts';
import { formatSource } from '../../transport/network/datagram-source.ts';
import type { IntakeDrop, MediaIntake } from '../intake/media-intake.ts';
import type { KeyLoader } from '../keys/key-loader.ts';
import type { PriceConsent } from '../price/price-consent.ts';
import type { BridgeState, BridgeStatus, DropReason } from './bridge-status.ts';
import type { Notices } from './notices.ts';

/** ms without a packet from which on the stream counts as silent. */
const SILENT_AFTER = 2000;
/** ms without an opened group after which it is said why. */
const IDLE_AFTER = 1000;
const MAX_STRANGERS_TOLD = 4;
/** ms between looks at how many packets were forged, and how many a second are told. */
const LOOK_EVERY = 1000;
const MIN_FORGED = 10;

export interface DiagnosisOptions {
  readonly keys: Pick<KeyLoader, 'hasContent' | 'lackingService' | 'service'>;
  readonly intake: Pick<MediaIntake, 'lastOwnArrival'>;
  readonly sink: Pick<ClearSink, 'isReady'>;
  readonly consent: Pick<PriceConsent, 'isAsking'>;
  readonly notices: Notices;
  /** Whether the PIN of the card is presented. */
  readonly hasPin: boolean;
}

/** Tells why nothing is opened and why packets are let go, and what its user can do about it. */
export class Diagnosis {
  readonly #options: DiagnosisOptions;
  /** Whether the group whose turn it is in some stream waits for its key. */
  keyMissing = false;
  readonly #strangersTold = new Set<number>();
  /** Packets since the last look that came from the sender's own address and are not its own. */
  #forged = 0;
  #lookedAt = -Infinity;
  /** Whether there were many of them at the last look. */
  #isForged = false;
  /** ms, when the run began or the newest group was opened. */
  #playingAt = -Infinity;

  /** Packets of the newest group that was asked about; 0 before. */
  #groupPackets = 0;

  constructor(options: DiagnosisOptions) {
    this.#options = options;
  }

  /** The card is about to be asked about a group of this many packets. */
  groupAsked(packets: number): void {
    this.#groupPackets = packets;
  }

  /** The run began, or a group was opened. */
  markPlaying(now: number): void {
    this.#playingAt = now;
  }

  /** Why nothing has been opened for a while; undefined when it is not so, or nothing seems to be amiss. */
  whyNothing(status: BridgeStatus, now: number): readonly [BridgeState, reason: string] | undefined {
    if (now - this.#playingAt < IDLE_AFTER) return undefined;
    const { keys, intake, sink, consent } = this.#options;
    if (consent.isAsking) return undefined;
    if (!sink.isReady) return ['waiting for a player', 'nobody takes the output; nothing is paid meanwhile'];
    const { lastOwnArrival } = intake;
    if (!keys.hasContent) return ['waiting for keys', whyNoKeys(keys, status.card, Number.isFinite(lastOwnArrival))];
    if (now - lastOwnArrival > SILENT_AFTER)
      return ['waiting for the stream', 'no packets come; check the address, the port and the interface'];
    return undefined;
  }

  /** Why packets were let go, as it is counted. */
  whyDropped(reason: IntakeDrop, packets: number, status: BridgeStatus): DropReason {
    if (reason === 'outside' || reason === 'forged') this.#forged += packets;
    if (reason !== 'overflow') return reason;
    const cause = this.#whyOverflow(status);
    if (cause === 'cardSlow' && this.#isForged) return 'stranger';
    if (cause === 'cardSlow' && this.#groupPackets > 0) {
      this.#options.notices.say(
        `n = ${this.#groupPackets} is too small for this card, it cannot keep up; ask the operator for a larger --every, or take a faster card`,
      );
    }
    return cause;
  }

  /** Packets of the sender whose groups open did not open. */
  packetsForged(packets: number): void {
    this.#forged += packets;
  }

  /** Tells when many packets were forged of late. @param source the address that they were sent under. */
  lookAtForged(source: number | undefined, now: number): void {
    const passed = now - this.#lookedAt;
    if (passed < LOOK_EVERY) return;
    const perSecond = (1000 * this.#forged) / passed;
    this.#lookedAt = now;
    this.#forged = 0;
    this.#isForged = perSecond >= MIN_FORGED;
    if (!this.#isForged || source === undefined) return;
    this.#tellStranger(
      -1,
      `somebody else sends to this group under the sender's own address, ${formatSource(source)}: about ${Math.round(perSecond)} packets a second that it did not seal`,
    );
  }

  /** Somebody else sends than those whose groups open. Told of a few: addresses can be forged without end. */
  strangerSends({ source, perSecond }: { readonly source: number; readonly perSecond: number }): void {
    this.#tellStranger(
      source,
      `somebody else sends to this group: ${formatSource(source)}, ${Math.round(perSecond)} packets a second that nothing opens`,
    );
  }

  #tellStranger(who: number, what: string): void {
    if (this.#strangersTold.has(who) || this.#strangersTold.size >= MAX_STRANGERS_TOLD) return;
    this.#strangersTold.add(who);
    this.#options.notices.say(`${what}; they are let go unpaid; tell the operator of the network`);
  }

  /** The card did not accept a key message. */
  keyRefused(error: ModuleError): void {
    // The parent may still come, and others can forge messages: the user can do nothing about these.
    if (error.code === 'UNKNOWN_KEY' || error.code === 'CRYPTO') return;
    this.#options.notices.say(adviseOnKey(error, this.#options.hasPin));
  }

  /** Why packets pile up until there is no more room for them. */
  #whyOverflow({ state }: BridgeStatus): DropReason {
    if (state === 'waiting for the card') return 'noCard';
    if (state === 'waiting for credit') return 'noCredit';
    const { keys, sink, consent } = this.#options;
    if (consent.isAsking) return 'noConsent';
    if (!sink.isReady) return 'noPlayer';
    return keys.hasContent && !this.keyMissing ? 'cardSlow' : 'noKey';
  }
}

function whyNoKeys(
  { lackingService, service }: DiagnosisOptions['keys'],
  card: string | undefined,
  hasMedia: boolean,
): string {
  if (lackingService !== undefined) {
    return `card ${card} has no key for service ${lackingService}; ask its operator for it`;
  }
  if (!hasMedia) return 'nothing comes; check that the sender runs, and the address, the port and the interface';
  const keys = service === undefined ? 'keys' : `keys of service ${service}`;
  return `no ${keys} for this card have come; check the key port, and that the sender was started for this card`;
}

/** What a card has against a key message, with what its holder can do. */
function adviseOnKey({ code, message }: ModuleError, hasPin: boolean): string {
  if (code === 'BAD_FIELD')
    return 'the card refuses a key that it was granted: it may be priced in another currency; ask the operator';
  if (code === 'WRONG_LENGTH')
    return 'a key that this card was granted is longer than it takes: tollcast card info says how long its commands may be; ask the operator for a purchase that is not by slots or by public key, or use another card';
  if (code !== 'ABOVE_RATING') return message;
  const next = hasPin
    ? 'the PIN does not lift that limit; ask its issuer'
    : 'start again with --pin where its issuer lets the PIN lift that limit, or ask the issuer';
  return `the content is rated above the limit of this card; ${next}`;
}
