import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import { MAX_SPAN } from '../../../apdu/decode-module/select-answer.ts';
import { CardGoneError, FormatError, TollcastError } from '../../../apdu/errors.ts';
import { hasSameOctets } from '../../../apdu/octets.ts';
import type { ClearWriter } from '../../stream/opening/clear-packets.ts';
import type { GroupPreview, GroupVerdict } from '../../stream/opening/clear-sink.ts';
import type { GroupOpener, OpenedGroup } from '../../stream/opening/group-opener.ts';
import type { HeldCardPacket } from '../../stream/opening/held-card-packet.ts';
import type { PacketGroup } from '../../stream/opening/packet-group.ts';
import type { MediaPacket } from '../../stream/packet/media-packet.ts';
import type { MediaIntake, TakenGroup } from '../intake/media-intake.ts';
import type { KeyLoader, LoadedContent } from '../keys/key-loader.ts';
import type { PriceConsent } from '../price/price-consent.ts';
import type { DropReason } from '../status/bridge-status.ts';
import type { Notices } from '../status/notices.ts';
import type { StatusCounters } from '../status/status-counters.ts';
import type { CardSession } from './card-session.ts';
import { type StopReason, stopReasonOf } from './stop-reason.ts';

/** A price that was not accepted yet. */
export interface NewPrice {
  readonly service: number;
  readonly tariff: Tariff;
}

/** What became of a group. */
export type GroupOutcome =
  /** It was charged, opened and written. */
  | { readonly kind: 'opened'; readonly opened: OpenedGroup }
  /** It keeps its turn until its content key is on the card; other streams go on. */
  | { readonly kind: 'waitsForKey' }
  /** It keeps its turn: the card lost its content key, which is loaded again first. */
  | { readonly kind: 'askedAgain' }
  /** It was charged, and some of it does not open. It keeps its turn, as the true packets may still come. */
  | { readonly kind: 'waitsForPackets' }
  /** It keeps its turn, unpaid: too little of it came, and the rest may still come. */
  | { readonly kind: 'waitsForEnd' }
  /** It keeps its turn, unpaid, until its price is accepted. */
  | ({ readonly kind: 'waitsForConsent' } & NewPrice)
  /** It keeps its turn: the card opens nothing more until its holder or issuer does something. */
  | { readonly kind: 'stopped'; readonly reason: StopReason }
  /** Its card packet was let go. Another card packet that came for the same group gets its turn. */
  | { readonly kind: 'dropped'; readonly reason: DropReason }
  /** It was let go unpaid: too little of it came, or there is no use for it. */
  | { readonly kind: 'damaged' | 'held' }
  /** It was let go: the card refuses it, and would refuse others like it. */
  | { readonly kind: 'refused'; readonly error: TollcastError }
  /** It was let go: the card opens nothing without its PIN. */
  | { readonly kind: 'pinNeeded' }
  /** It was let go: the card fails at group after group. */
  | { readonly kind: 'cardFaulty' };

export interface TollGateOptions {
  readonly session: CardSession;
  readonly keys: KeyLoader;
  readonly intake: Pick<MediaIntake, 'settle' | 'othersOf' | 'canAwaitPackets' | 'refused'>;
  readonly opener: GroupOpener;
  /** Takes the clear packets. */
  readonly writer: ClearWriter;
  readonly counters: StatusCounters;
  readonly notices: Notices;
  readonly consent: Pick<PriceConsent, 'isAccepted'>;
  /** Says whether the one who takes the clear packets wants a group. */
  readonly judge: (group: GroupPreview) => GroupVerdict;
  /** Percent of a damaged group's octets that must have come for the group to be paid at all. */
  readonly minShare: number;
}

/** A group that was charged. Whoever sends its packets, they are opened by the same answer. */
interface ChargedGroup {
  /** The card part that the card answered. */
  readonly card: HeldCardPacket;
  /** The card's answer to DECODE. */
  readonly answer: Uint8Array;
  /** SRTP master salt of its content key. */
  readonly salt: Uint8Array;
}

const OVER_DECLARED = 'groups that say more than came are not paid; if nothing plays, ask the operator of the stream';

/** Looks at a group before it is paid for, has the card charge for it, and opens the rest of it. */
export class TollGate {
  readonly #options: TollGateOptions;
  readonly #faults = new FaultStreak();
  #otherServiceTold = false;
  /** A group that was charged and of which something does not open yet. */
  #charged: ChargedGroup | undefined;

  constructor(options: TollGateOptions) {
    this.#options = options;
  }

  /**
   * Decides on a group, and tells its stream and the counters.
   * @throws CardGoneError, TransportError; the group keeps its turn.
   */
  async pass(taken: TakenGroup, now: number): Promise<GroupOutcome> {
    let outcome: GroupOutcome;
    try {
      outcome = await this.#decide(taken, now);
    } catch (error) {
      taken.stream.putBack(taken.group);
      throw error;
    }
    this.#conclude(taken, outcome, now);
    return outcome;
  }

  /** The price of a group, if it was not accepted yet. The group keeps its turn. */
  findPrice({ group, card, stream }: TakenGroup): NewPrice | undefined {
    const content = this.#options.keys.content(card.header.contentKeyId, card.header.ssrc);
    stream.putBack(group);
    return content && this.#findNewPrice(content);
  }

  /** Opens a packet of the group that was opened last and looked ended before it came. @returns whether it opened. */
  openLate(packet: MediaPacket): boolean {
    const octets = this.#options.opener.openLate(packet);
    if (octets !== undefined) this.#options.counters.lateOpened(octets);
    return octets !== undefined;
  }

  #findNewPrice(content: LoadedContent): NewPrice | undefined {
    const { consent, counters } = this.#options;
    const { service, terms } = content;
    counters.groupAsked(content);
    return consent.isAccepted(service, terms.tariff) ? undefined : { service, tariff: terms.tariff };
  }

  async #decide(taken: TakenGroup, now: number): Promise<GroupOutcome> {
    if (this.#charged === undefined || !isSameGroup(this.#charged.card, taken.card)) {
      const { contentKeyId, ssrc } = taken.card.header;
      const content = this.#options.keys.content(contentKeyId, ssrc);
      if (content === undefined) return this.#decideWithoutKey(taken);
      const misfit = this.#findMisfit(taken);
      if (misfit !== undefined) return { kind: 'refused', error: misfit };
      const doubt = this.#findDoubt(taken, now);
      if (doubt !== undefined) return doubt;
      const price = this.#findNewPrice(content);
      if (price !== undefined) return { kind: 'waitsForConsent', ...price };
      const refusal = await this.#charge(taken, content, now);
      if (refusal !== undefined) return refusal;
    }
    const charged = this.#charged!;
    // The card knows which card packet of this group is authentic, so it is not asked about another one.
    if (!hasSameOctets(charged.card.part, taken.card.part)) return { kind: 'dropped', reason: 'forged' };
    return this.#open(taken, charged, now);
  }

  #decideWithoutKey({ group, card }: TakenGroup): GroupOutcome {
    const other = this.#options.keys.otherService(card.header.contentKeyId, card.header.ssrc);
    if (other !== undefined) {
      this.#tellOtherService(other);
      return { kind: 'dropped', reason: 'otherService' };
    }
    // Another card packet of the group may be the true one: this one makes room where that one can be asked about.
    const hasOther = group.cards.some(({ header }) => this.#options.keys.content(header.contentKeyId, header.ssrc));
    return hasOther ? { kind: 'dropped', reason: 'forged' } : { kind: 'waitsForKey' };
  }

  /** Why the card cannot take a card part of a stream that it has the key for: its APDU buffer may be small. */
  #findMisfit({ card }: TakenGroup): TollcastError | undefined {
    const { maxSpan } = this.#options.session;
    const span = 16 * card.header.spanBlocks;
    // No card takes a longer one: it is not from a sender.
    if (span <= maxSpan || span > MAX_SPAN) return undefined;
    return new TollcastError(
      'SPAN_TOO_LONG',
      `this stream puts ${span} octets of each group through the card, and this card takes ${maxSpan} at most; ask the operator to send with --span ${maxSpan} or less, or use another card`,
    );
  }

  /** Why a group is not worth its toll, if it is not. */
  #findDoubt({ group, card, stream }: TakenGroup, now: number): GroupOutcome | undefined {
    if (group.isOverDeclared(card)) {
      // The header is not authenticated yet, so its claim proves nothing against the sender.
      this.#options.notices.say(OVER_DECLARED);
      return { kind: 'dropped', reason: 'overDeclared' };
    }
    const verdict = this.#options.judge(previewGroup(group, card));
    if (verdict !== 'wanted') return letGo(group, verdict);
    const received = group.receivedOctets(card) * 100;
    const isTooLittle = group.missingPackets(card) > 0 && received < card.header.octets * this.#options.minShare;
    if (!isTooLittle) return undefined;
    return stream.awaitEnd(group, now) ? { kind: 'waitsForEnd' } : letGo(group, 'damaged');
  }

  /** Has the card charge for a group and answer its card part. @returns why it did not, if it did not. */
  async #charge(taken: TakenGroup, content: LoadedContent, now: number): Promise<GroupOutcome | undefined> {
    const { session, keys, counters } = this.#options;
    const { card } = taken;
    let answer: Uint8Array;
    try {
      answer = await session.decode(content.service, card.part);
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      return this.#decideOnRefusal(taken, error, now);
    }
    this.#charged = { card, answer, salt: content.terms.masterSalt };
    // The run is of the service that was opened first, so that the network cannot choose what is paid for.
    keys.bind(content.service);
    counters.groupCharged(card.header.octets);
    return undefined;
  }

  /** Protocol 2.2: what a host does about each answer. */
  #decideOnRefusal({ card }: TakenGroup, error: ModuleError, now: number): GroupOutcome {
    const stopReason = stopReasonOf(error);
    if (stopReason !== undefined) return { kind: 'stopped', reason: stopReason };
    switch (error.code) {
      case 'CRYPTO':
        return { kind: 'dropped', reason: 'forged' };
      case 'OLD_GROUP':
        return { kind: 'dropped', reason: 'late' };
      case 'FOREIGN_STREAM':
        return { kind: 'dropped', reason: 'foreign' };
      case 'UNKNOWN_KEY': {
        const isLoadedAgain = this.#options.keys.loadAgain(card.header.contentKeyId);
        return isLoadedAgain ? { kind: 'askedAgain' } : { kind: 'dropped', reason: 'noKey' };
      }
      case 'NOT_SELECTED':
        throw new CardGoneError('another program took the card over; the session starts anew', { cause: error });
      case 'SECURITY':
        return { kind: 'pinNeeded' };
      case 'DEFECT':
        return this.#decideOnFault(error, now);
      default:
        return { kind: 'refused', error };
    }
  }

  /** Opens the rest of a charged group. */
  #open(taken: TakenGroup, { answer, salt }: ChargedGroup, now: number): GroupOutcome {
    const { opener, writer, counters, intake } = this.#options;
    const { group, card } = taken;
    const packetsBefore = writer.packets;
    let opened: OpenedGroup;
    try {
      const others = intake.othersOf(taken).map((other) => other.group);
      opened = opener.open(group, card, answer, salt, writer, others);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#charged = undefined;
      counters.answerUnusable();
      return this.#decideOnFault(error, now);
    }
    this.#faults.end();
    if (opened.forged > 0 && opened.packets < card.header.packets && intake.canAwaitPackets(taken, now)) {
      writer.truncate(packetsBefore);
      return { kind: 'waitsForPackets' };
    }
    this.#charged = undefined;
    return { kind: 'opened', opened };
  }

  #decideOnFault(error: TollcastError, now: number): GroupOutcome {
    this.#faults.add(now);
    return this.#faults.isLasting ? { kind: 'cardFaulty' } : { kind: 'refused', error };
  }

  #conclude(taken: TakenGroup, outcome: GroupOutcome, now: number): void {
    const { group, card, stream } = taken;
    const { counters, intake } = this.#options;
    switch (outcome.kind) {
      case 'opened':
        intake.settle(taken, isMostlyOwn(outcome.opened, card), now);
        counters.groupOpened(outcome.opened);
        return;
      case 'waitsForPackets':
        stream.awaitPackets(group);
        return;
      case 'waitsForKey':
      case 'waitsForConsent':
      case 'waitsForEnd':
      case 'askedAgain':
      case 'stopped':
        stream.putBack(group);
        return;
      case 'damaged':
      case 'held':
        counters.dropped(outcome.kind, group.packets);
        stream.drop(group);
        return;
      case 'dropped':
        this.#refuseCardPacket(taken, outcome.reason);
        return;
      case 'refused':
      case 'pinNeeded':
      case 'cardFaulty':
        this.#refuseCardPacket(taken, 'refused');
        return;
    }
  }

  #refuseCardPacket(taken: TakenGroup, reason: DropReason): void {
    const { group, card, stream } = taken;
    if (reason === 'forged') this.#options.intake.refused(taken);
    this.#options.counters.dropped(reason, group.cards.length > 1 ? 1 : group.packets);
    stream.refuse(group, card);
  }

  /** Once a run, as messages that nobody authenticated can name any service. */
  #tellOtherService(other: number): void {
    if (this.#otherServiceTold) return;
    this.#otherServiceTold = true;
    const own = this.#options.keys.service;
    this.#options.notices.say(
      `packets of service ${other} come here and are let go: this run is of service ${own}; to watch the other one start again with --service ${other}`,
    );
  }
}

/** A card packet that claims what is not so may be forged, and must not take the true one along. */
function letGo(group: PacketGroup, why: 'damaged' | 'held'): GroupOutcome {
  return group.cards.length > 1 ? { kind: 'dropped', reason: why } : { kind: why };
}

function previewGroup(group: PacketGroup, card: HeldCardPacket): GroupPreview {
  const { rtp } = card.packet;
  return {
    mode: card.header.mode,
    ssrc: card.header.ssrc,
    payloadType: rtp.payloadType,
    isComplete: group.isComplete(card),
    timestamps: () => [rtp.timestamp, ...group.inOrder(card).map((gap) => gap.rtp.timestamp)],
  };
}

function isSameGroup({ header: a }: HeldCardPacket, { header: b }: HeldCardPacket): boolean {
  return a.group === b.group && a.ssrc === b.ssrc;
}

/** Whether the sender of a group sent most of what opened: it can copy a card packet, and no gap packet ahead of time. */
function isMostlyOwn({ packets, foreign }: OpenedGroup, { header }: HeldCardPacket): boolean {
  return 2 * (packets - foreign) > header.packets;
}

/** Faults of the card with no group opened in between, and ms they go on for, from which on they count as lasting. */
const MIN_FAULTS = 3;
const MIN_FAULT_TIME = 2000;

/** Faults of a card one after the other. Forged packets can make a good card look faulty for a moment, not for long. */
class FaultStreak {
  #count = 0;
  #firstAt = 0;
  #lastAt = 0;

  add(now: number): void {
    if (this.#count === 0) this.#firstAt = now;
    this.#count++;
    this.#lastAt = now;
  }

  end(): void {
    this.#count = 0;
  }

  get isLasting(): boolean {
    return this.#count >= MIN_FAULTS && this.#lastAt - this.#firstAt >= MIN_FAULT_TIME;
  }
}
