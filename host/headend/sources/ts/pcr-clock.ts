import { TICKS_PER_SECOND } from '../media-timeline.ts';
import { PCR_MODULUS, type Pcr } from './ts-packet.ts';

/** Ticks; a step that is no longer than this is time, whatever the octets say. ISO/IEC 13818-1 2.7.2 allows 0.1 s. */
const SURE_STEP = TICKS_PER_SECOND;
/** Ticks; a greater step is always a jump of the clock. */
const MAX_STEP = 10 * TICKS_PER_SECOND;
/** How many times longer than usual a step between those two may be. */
const PLAUSIBLE = 4;
/** Ticks that must be measured before the rate is an average and no chance. */
const ENOUGH_MEASURED = TICKS_PER_SECOND / 5;
/** Ticks that count as lately. */
const LATELY = 5 * TICKS_PER_SECOND;

/**
 * What a PCR says of the octets since the one before: their ticks, that a new time base starts, or, where another PID
 * is followed from now on, the ticks of those octets that wait for their times.
 */
export type PcrStep = number | 'jump' | { readonly waiting: number };

/** What steps came to. */
interface Measured {
  readonly steps: number;
  readonly ticks: number;
  readonly octets: number;
  /** Ticks of the longest. */
  readonly longest: number;
}

const NOTHING: Measured = { steps: 0, ticks: 0, octets: 0, longest: 0 };

/** Another PID with PCRs, since the last PCR that counted. */
interface Rival {
  /** Of its last PCR. */
  pcr: number;
  /** Ticks from its first PCR to its last. */
  ticks: number;
  /** Octets in front of its first PCR. */
  readonly before: number;
}

/**
 * Follows the PCRs of one PID. When they stop and another PID has PCRs for longer than the usual step, that one is
 * followed: the source was switched, or its programme changed.
 */
export class PcrClock {
  #pid: number | undefined;
  #last = 0;
  readonly #rivals = new Map<number, Rival>();
  /** Steps lately, and in the time before. */
  #lately = NOTHING;
  #before = NOTHING;

  /**
   * Takes the next PCR of the stream.
   * @param octets of the stream since the last PCR that counted.
   * @param waiting octets of these that have no times yet.
   * @returns nothing when this one does not count: it repeats the last one, or is another PID's.
   */
  take(pcr: Pcr, octets: number, waiting: number): PcrStep | undefined {
    if (this.#pid === undefined) return this.#jumpTo(pcr);
    if (pcr.pid !== this.#pid) return this.#hearRival(pcr, octets, waiting);
    const ticks = difference(pcr.ticks, this.#last);
    // A packet that the network has brought too late.
    if (!pcr.discontinuity && PCR_MODULUS - ticks <= this.longest) return undefined;
    if (pcr.discontinuity || !this.#isPlausible(ticks, octets)) return ticks === 0 ? undefined : this.#jumpTo(pcr);
    return this.#stepTo(pcr, ticks, octets);
  }

  /** Whether enough was measured for an average. */
  get isSteady(): boolean {
    return this.#before.ticks + this.#lately.ticks >= ENOUGH_MEASURED;
  }

  /** Ticks of the longest step lately; 0 before the first one. */
  get longest(): number {
    return Math.max(this.#before.longest, this.#lately.longest);
  }

  /** Ticks of the average step lately; 0 before the first one. */
  get average(): number {
    const steps = this.#before.steps + this.#lately.steps;
    return steps === 0 ? 0 : Math.ceil((this.#before.ticks + this.#lately.ticks) / steps);
  }

  /**
   * Ticks that octets last at the average rate of lately.
   * @returns nothing while no step was measured.
   */
  ticksOf(octets: number): number | undefined {
    const measured = this.#before.octets + this.#lately.octets;
    if (measured === 0) return undefined;
    return Math.floor(((this.#before.ticks + this.#lately.ticks) * octets) / measured);
  }

  #isPlausible(ticks: number, octets: number): boolean {
    if (ticks === 0 || ticks > MAX_STEP) return false;
    const usual = this.ticksOf(octets);
    return ticks <= SURE_STEP || usual === undefined || ticks <= PLAUSIBLE * Math.max(usual, this.longest);
  }

  #jumpTo({ pid, ticks }: Pcr): PcrStep {
    this.#pid = pid;
    this.#last = ticks;
    this.#rivals.clear();
    return 'jump';
  }

  #stepTo({ pid, ticks: last }: Pcr, ticks: number, octets: number): number {
    this.#pid = pid;
    this.#last = last;
    this.#rivals.clear();
    if (this.#lately.ticks > LATELY) {
      this.#before = this.#lately;
      this.#lately = NOTHING;
    }
    const lately = this.#lately;
    this.#lately = {
      steps: lately.steps + 1,
      ticks: lately.ticks + ticks,
      octets: lately.octets + octets,
      longest: Math.max(lately.longest, Math.min(ticks, MAX_STEP)),
    };
    return ticks;
  }

  #hearRival(pcr: Pcr, octets: number, waiting: number): PcrStep | undefined {
    const rival = this.#rivals.get(pcr.pid);
    const ticks = rival === undefined ? 0 : difference(pcr.ticks, rival.pcr);
    if (rival === undefined || pcr.discontinuity || ticks > MAX_STEP) {
      this.#rivals.set(pcr.pid, { pcr: pcr.ticks, ticks: 0, before: octets });
      return undefined;
    }
    rival.pcr = pcr.ticks;
    rival.ticks += ticks;
    if (rival.ticks <= Math.max(ENOUGH_MEASURED, 2 * this.longest) || octets <= rival.before) return undefined;
    const measured = octets - rival.before;
    const ofBefore = this.ticksOf(Math.max(0, waiting - measured)) ?? 0;
    this.#before = NOTHING;
    this.#lately = NOTHING;
    this.#stepTo(pcr, rival.ticks, measured);
    return { waiting: ofBefore + this.ticksOf(Math.min(waiting, measured))! };
  }
}

function difference(ticks: number, from: number): number {
  return (ticks - from + PCR_MODULUS) % PCR_MODULUS;
}
