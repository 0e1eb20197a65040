import type { GroupOutcome } from '../card/toll-gate.ts';
import type { Diagnosis } from '../status/diagnosis.ts';
import { CardTime } from './card-time.ts';
import type { MediaIntake, TakenGroup } from './media-intake.ts';
import type { Preference } from './stranger-share.ts';

/** Keeps those of whom nothing was opened within their share of card and network, and has their user told. */
export class StrangerWatch {
  readonly #intake: MediaIntake;
  readonly #diagnosis: Diagnosis;
  /** What they may use of the card while others play. */
  readonly #cardTime = new CardTime();

  constructor(intake: MediaIntake, diagnosis: Diagnosis) {
    this.#intake = intake;
    this.#diagnosis = diagnosis;
  }

  /** Looks now and then at who sends. @returns what the network should prefer; undefined when that stays as it is. */
  look(now: number): Preference | undefined {
    const loudest = this.#intake.lookAtStrangers(now);
    if (loudest !== undefined) this.#diagnosis.strangerSends(loudest);
    this.#diagnosis.lookAtForged(this.#intake.newestSource, now);
    return this.#intake.choosePreference(now);
  }

  /** While groups are being opened, those of whom none was have a share of the card's time and no more. */
  canAsk(now: number): boolean {
    return !this.#intake.isPlaying(now) || this.#cardTime.isLeft(now);
  }

  /** The card dealt with something of theirs from one ms to the other. */
  asked(from: number, to: number): void {
    this.#cardTime.use(from, to);
  }

  /** The card was asked about a group from one ms to the other. */
  groupPassed({ sender, isStrange }: TakenGroup, outcome: GroupOutcome, from: number, to: number): void {
    if (sender.hasOpened) this.#diagnosis.packetsForged(countForged(outcome));
    if (isStrange) this.asked(from, to);
  }
}

function countForged(outcome: GroupOutcome): number {
  if (outcome.kind === 'opened') return outcome.opened.forged;
  return outcome.kind === 'dropped' && outcome.reason === 'forged' ? 1 : 0;
}
