import { TollcastError } from '../../../../apdu/errors.ts';
import { concat } from '../../../../apdu/octets.ts';
import type { MediaPayload } from '../../../stream/sealing/group-sealer.ts';
import { type MediaTimeline, TICKS_PER_MS, TICKS_PER_SECOND } from '../media-timeline.ts';
import type { Packer } from '../rate-packer.ts';
import { PcrClock, type PcrStep } from './pcr-clock.ts';
import { readPcr, startsTsPacket, TS_PACKET, type TsLayout } from './ts-packet.ts';

/** Octets that may wait for a PCR. With more, the stream goes on at the rate it had. */
const MAX_WAITING = 0x400000;
/** ms by which a PCR of a live source may be later than usual. Then the stream goes on without it. */
const MAX_LATE_PCR = 500;
/** ms; what came faster than this is no measure of a rate. */
const MIN_ARRIVAL = 100;
/** Ticks; payloads are filled as long as they do not last longer. */
const MAX_FILLING = TICKS_PER_SECOND;
/** Ticks; one TS packet that would last longer is charged no more than this. */
const MAX_PAYLOAD = 3 * TICKS_PER_SECOND;

/** Most ms of one payload. */
export const MAX_TS_PAYLOAD_DURATION = MAX_PAYLOAD / TICKS_PER_MS;

/** Octets that follow each other in the source: whole TS packets, or octets between packets where the sync is lost. */
interface Run {
  readonly octets: Uint8Array;
  readonly packets: boolean;
}

/** The stretch from one PCR to the next. */
interface Interval {
  /** Those without times yet. */
  runs: Run[];
  /** Octets of these runs. */
  waiting: number;
  /** Octets in all. */
  octets: number;
  /** Ticks that were given before the next PCR came. */
  given: number;
  step: PcrStep | undefined;
}

/**
 * Packs whole TS packets into payloads (RFC 2250 2). Their times come from PCRs: octets between two of them are spread
 * evenly, which follows a variable rate. What no two PCRs enclose goes at the average rate, and over a jump of the
 * clock no longer than the average step. A live source whose PCRs stay away is timed by its arrival, and the next PCR
 * corrects that. Octets that are out of sync are sent like all others, in payloads of their own.
 */
export class TsPacker implements Packer {
  readonly startedAt = undefined;
  readonly #timeline: MediaTimeline;
  readonly #layout: TsLayout;
  /** Most octets of a payload. */
  readonly #size: number;
  readonly #clock = new PcrClock();
  /** Octets that are not cut into packets yet. */
  #input = new Uint8Array(0);
  /** Whether a packet ended where the next octets start. */
  #inLine = false;
  /** Intervals that are over, as long as no average rate is known. */
  #over: Interval[] = [];
  #overOctets = 0;
  /** The interval that the last PCR began. */
  #open = emptyInterval();
  /** ms of arrival: of the last PCR or, before one, of the first octets; and of the newest octets. */
  #markedAt: number | undefined;
  #arrival: number | undefined;
  /** Whether nobody can make the source wait, so that its arrival shows how long it lasts. */
  #comesByItself = false;
  /** Ticks that the PCRs counted and no octets were there to take, or the reverse when it is negative. */
  #owed = 0;
  #payload: Uint8Array = new Uint8Array(0);
  #payloadTicks = 0;
  #ready: MediaPayload[] = [];

  /** @param packing TS packets of 188 octets in a full payload, 1 to 7; of another layout, as many octets. */
  constructor(timeline: MediaTimeline, packing: number, layout: TsLayout) {
    this.#timeline = timeline;
    this.#layout = layout;
    this.#size = packing * TS_PACKET;
  }

  /** @throws TollcastError `NO_PCR` when a source that can wait shows no two PCRs in its first 4 MiB. */
  push(chunk: Uint8Array, arrival?: number, ends?: readonly number[]): MediaPayload[] {
    this.#arrival = arrival;
    this.#comesByItself = ends !== undefined;
    this.#markedAt ??= arrival;
    const input = this.#input.length === 0 ? chunk : concat(this.#input, chunk);
    let start = 0;
    let at = 0;
    // Where no packet ended before, the next sync octet has to be seen too.
    const { length, lead } = this.#layout;
    while (input.length - at >= length + (this.#inLine ? 0 : lead + 1)) {
      if (startsTsPacket(input, at, this.#inLine, this.#layout)) {
        this.#inLine = true;
        const pcr = readPcr(input, at + lead);
        const more = at - start;
        const step = pcr && this.#clock.take(pcr, this.#open.octets + more, this.#open.waiting + more);
        if (step !== undefined) {
          this.#addWaiting(input.subarray(start, at), true);
          this.#reachPcr(step);
          start = at;
        }
        at += length;
      } else {
        this.#inLine = false;
        this.#addWaiting(input.subarray(start, at), true);
        start = this.#findStart(input, at + 1);
        this.#addWaiting(input.subarray(at, start), false);
        at = start;
      }
    }
    this.#addWaiting(input.subarray(start, at), true);
    this.#input = input.slice(at);
    this.#coastWhenLate();
    return this.#takeReady();
  }

  /** @throws TollcastError `NO_PCR` when the stream had no two PCRs. */
  flush(): MediaPayload[] {
    const rest = this.#input;
    this.#input = new Uint8Array(0);
    this.#addWaiting(rest, false);
    if (this.#overOctets + this.#open.waiting > 0) {
      if (this.#clock.longest === 0) {
        this.#coast();
      } else {
        this.#open.step = 'jump';
        this.#endInterval();
        this.#release();
      }
    }
    this.#closePayload();
    return this.#takeReady();
  }

  #takeReady(): MediaPayload[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  #addWaiting(octets: Uint8Array, packets: boolean): void {
    if (octets.length === 0) return;
    this.#open.runs.push({ octets, packets });
    this.#open.waiting += octets.length;
    this.#open.octets += octets.length;
    if (this.#overOctets + this.#open.waiting > MAX_WAITING) this.#coast();
  }

  #reachPcr(step: PcrStep): void {
    this.#open.step = step;
    this.#endInterval();
    this.#markedAt = this.#arrival;
    if (this.#clock.isSteady) this.#release();
  }

  #endInterval(): void {
    this.#over.push(this.#open);
    this.#overOctets += this.#open.waiting;
    this.#open = emptyInterval();
  }

  /** Gives the intervals that are over their times. */
  #release(): void {
    for (const interval of this.#over) {
      this.#spread(interval, this.#settle(this.#measure(interval), interval.waiting));
    }
    this.#over = [];
    this.#overOctets = 0;
  }

  /** Ticks of what waits of an interval. */
  #measure({ step, given, waiting }: Interval): number {
    if (typeof step === 'number') return step - given;
    if (typeof step === 'object') return step.waiting;
    return Math.min(this.#clock.ticksOf(waiting) ?? 0, this.#clock.average);
  }

  /** Adds what is owed to the ticks of some octets, and takes off what they had too much. */
  #settle(ticks: number, octets: number): number {
    const due = ticks + this.#owed;
    const paid = octets === 0 ? 0 : Math.max(0, due);
    this.#owed = due - paid;
    return paid;
  }

  /** Does not wait any longer for a PCR that a live source should have sent. */
  #coastWhenLate(): void {
    if (this.#arrival === undefined || this.#markedAt === undefined) return;
    // A pipe may give all that it has at once: without a rate there is nothing to go by yet.
    if (!this.#comesByItself && this.#clock.longest === 0) return;
    const usual = Math.ceil(this.#clock.longest / TICKS_PER_MS);
    if (this.#arrival - this.#markedAt > usual + MAX_LATE_PCR && this.#open.waiting > 0) this.#coast();
  }

  /** Gives all that waits its times without the next PCR: by its arrival, or else at the average rate. */
  #coast(): void {
    const { octets, given } = this.#open;
    const arrived = this.#comesByItself ? this.#arrival! - this.#markedAt! : 0;
    const usual = this.#clock.ticksOf(octets);
    const ticks = arrived >= MIN_ARRIVAL ? Math.floor(arrived * TICKS_PER_MS) : usual;
    if (ticks === undefined) {
      throw new TollcastError(
        'NO_PCR',
        'this transport stream has no clock (PCR) to pace it by; name its bit rate with --rate',
      );
    }
    this.#release();
    const more = Math.max(0, ticks - given);
    this.#spread(this.#open, this.#settle(more, this.#open.waiting));
    this.#open.given += more;
  }

  /** Spreads ticks evenly over the octets of an interval that wait. */
  #spread(interval: Interval, ticks: number): void {
    const { runs, waiting } = interval;
    interval.runs = [];
    interval.waiting = 0;
    const { length: packet } = this.#layout;
    const most = Math.floor(this.#size / packet);
    const fitting = ticks === 0 ? most : Math.floor((MAX_FILLING * waiting) / (ticks * packet));
    const full = Math.min(this.#size, packet * Math.max(1, Math.min(most, fitting)));
    let position = 0;
    let before = 0;
    for (const run of runs) {
      if (!run.packets) this.#closePayload();
      for (let at = 0; at < run.octets.length;) {
        if (this.#payload.length >= full) this.#closePayload();
        const length = Math.min(full - this.#payload.length, run.octets.length - at);
        position += length;
        const end = Math.floor((ticks * position) / waiting);
        this.#payload = append(this.#payload, run.octets.subarray(at, at + length));
        this.#payloadTicks += end - before;
        before = end;
        at += length;
        if (this.#payload.length >= full) this.#closePayload();
      }
      if (!run.packets) this.#closePayload();
    }
  }

  #closePayload(): void {
    if (this.#payload.length === 0) return;
    const charged = Math.min(this.#payloadTicks, MAX_PAYLOAD);
    this.#ready.push({ octets: this.#payload, ...this.#timeline.advance(charged) });
    this.#timeline.pass(this.#payloadTicks - charged);
    this.#payload = new Uint8Array(0);
    this.#payloadTicks = 0;
  }

  /** Finds where the next packet starts after lost sync. Without one it gives the end of what can be sent at once. */
  #findStart(input: Uint8Array, from: number): number {
    const { length, lead } = this.#layout;
    const end = Math.min(input.length - length - lead, from + this.#size - 1);
    for (let at = from; at < end; at++) if (startsTsPacket(input, at, false, this.#layout)) return at;
    return end;
  }
}

function append(payload: Uint8Array, octets: Uint8Array): Uint8Array {
  return payload.length === 0 ? octets : concat(payload, octets);
}

function emptyInterval(): Interval {
  return { runs: [], waiting: 0, octets: 0, given: 0, step: undefined };
}
