import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import type { OpenedGroup } from '../../stream/opening/group-opener.ts';
import type { CardSession } from '../card/card-session.ts';
import type { StopReason } from '../card/stop-reason.ts';
import type { LoadedContent } from '../keys/key-loader.ts';
import type { BridgeState, BridgeStatus, DropReason } from './bridge-status.ts';

type WritableStatus = { -readonly [Field in keyof BridgeStatus]: BridgeStatus[Field] } & {
  readonly drops: Record<DropReason, number>;
};

/** Keeps the status of a run. Nothing else writes to it: each method says what happened. */
export class StatusCounters {
  readonly #status: WritableStatus;
  /** What the state was when the card began to take long, until it changes. */
  #beforeSlow: Pick<BridgeStatus, 'state' | 'reason'> | undefined;
  readonly #onState: (status: BridgeStatus) => void;

  /** @param service the one that was asked for, if one was. */
  constructor(service: number | undefined, onState: (status: BridgeStatus) => void) {
    this.#status = emptyStatus(service);
    this.#onState = onState;
  }

  /** As it is now; changes while the run goes on. */
  get status(): BridgeStatus {
    return this.#status;
  }

  stateChanged(state: BridgeState, reason?: string): void {
    this.#beforeSlow = undefined;
    if (this.#status.state === state && this.#status.reason === reason) return;
    this.#status.state = state;
    this.#status.reason = reason;
    this.#onState(this.#status);
  }

  /** The card takes long for a command. @param text what the user is told. */
  cardSlow(text: string): void {
    const { state, reason } = this.#status;
    this.stateChanged('waiting for the card', text);
    this.#beforeSlow = { state, reason };
  }

  /** A card that took long has answered: the state is what it was before, unless it has changed since. */
  cardAnswered(): void {
    const before = this.#beforeSlow;
    if (before !== undefined) this.stateChanged(before.state, before.reason);
  }

  cardConnected({ cardId, purse, trusted }: Pick<CardSession, 'cardId' | 'purse' | 'trusted'>): void {
    this.#status.card = cardId;
    this.#status.purse = purse;
    this.#status.trusted = trusted;
  }

  commandSent(): void {
    this.#status.commands++;
  }

  purseRead(purse: PurseStatus): void {
    this.#status.purse = purse;
  }

  /** @param day of media time that the card is at, since 1970. */
  cardStopped(reason: StopReason, day: number): void {
    this.#status.stopReason = reason;
    this.#status.stoppedOn = day;
  }

  cardResumed(): void {
    this.#status.stopReason = undefined;
  }

  /** The card is about to be asked for a group of this content. */
  groupAsked({ service, terms }: LoadedContent): void {
    this.#status.service = service;
    this.#status.tariff = terms.tariff;
  }

  /** The card opened a group, and so charged for it. @param octets that its header claims. */
  groupCharged(octets: number): void {
    this.#status.groups++;
    this.#status.paid += octets;
  }

  /** The packets of a charged group were opened and written. */
  groupOpened({ packets, octets, forged }: OpenedGroup): void {
    this.#status.packets += packets;
    this.#status.received += octets;
    this.#status.drops.forged += forged;
    this.#countMissing();
  }

  /** A packet of the group opened last came later, and was opened and written too. */
  lateOpened(octets: number): void {
    this.#status.packets++;
    this.#status.received += octets;
    this.#countMissing();
  }

  /** A group was charged, and the card's answer opens none of it. */
  answerUnusable(): void {
    this.#countMissing();
  }

  /** Packets or key messages were let go. */
  dropped(reason: DropReason, count: number): void {
    this.#status.drops[reason] += count;
  }

  /** Packets were passed on. @param after ms from the start of the run. */
  delivered(after: number): void {
    this.#status.firstAfter ??= after;
  }

  #countMissing(): void {
    this.#status.missing = this.#status.paid - this.#status.received;
  }
}

function emptyStatus(service: number | undefined): WritableStatus {
  return {
    state: 'waiting for the card',
    reason: undefined,
    stopReason: undefined,
    stoppedOn: undefined,
    trusted: [],
    card: undefined,
    service,
    tariff: undefined,
    purse: undefined,
    paid: 0,
    received: 0,
    missing: 0,
    groups: 0,
    packets: 0,
    drops: {
      malformed: 0,
      stranger: 0,
      foreign: 0,
      otherService: 0,
      duplicate: 0,
      outside: 0,
      late: 0,
      noCardPacket: 0,
      forged: 0,
      overDeclared: 0,
      damaged: 0,
      held: 0,
      cardSlow: 0,
      noCard: 0,
      noKey: 0,
      noCredit: 0,
      noPlayer: 0,
      noConsent: 0,
      refused: 0,
      keyMalformed: 0,
      keyForged: 0,
      keyReplayed: 0,
      keyRefused: 0,
    },
    commands: 0,
    firstAfter: undefined,
  };
}
