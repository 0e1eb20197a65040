import { TollcastError } from '../../../apdu/errors.ts';
import { concat } from '../../../apdu/octets.ts';
import type { MediaPayload } from '../../stream/sealing/group-sealer.ts';
import { type MediaTimeline, TICKS_PER_SECOND } from './media-timeline.ts';
import type { Packer } from './rate-packer.ts';
import { PCR_MODULUS, type Pcr, readPcr, startsTsPacket, TS_PACKET } from './ts-packet.ts';

/** A longer way from one PCR to the next is a jump of the clock; ISO/IEC 13818-1 2.7.2 allows 0.1 s. */
const MAX_PCR_GAP = 2 * TICKS_PER_SECOND;
/** Octets that may wait for a PCR; then the stream goes on at the rate it had. */
const MAX_WAITING = 0x400000;
/** Payloads are filled up as long as they do not last longer. */
const MAX_FILLING = TICKS_PER_SECOND;

/** Most ms of one payload: one TS packet may last the whole way from a PCR to the next. */
export const MAX_TS_PAYLOAD_DURATION = ((MAX_PCR_GAP + MAX_FILLING) / TICKS_PER_SECOND) * 1000;

/** Octets that follow each other in the source: whole TS packets, or what lies between them where the sync is lost. */
interface Run {
  readonly octets: Uint8Array;
  readonly packets: boolean;
}

interface Rate {
  readonly ticks: number;
  readonly octets: number;
}

/**
 * Packs whole TS packets into payloads (RFC 2250 2), their times from the PCRs of one PID: octets between two PCRs are spread evenly (which
 * follows a variable rate), before the first and after the last at the nearest rate known. Over a jump, with or without the discontinuity
 * indicator, the rate before it holds. Octets out of sync are sent like all others, in payloads of their own.
 */
export class TsPacker implements Packer {
  readonly #timeline: MediaTimeline;
  readonly #packets: number;
  /** Octets not yet cut into packets. */
  #input = new Uint8Array(0);
  /** Whether a packet ended where the next octets start. */
  #inLine = false;
  /** Runs not yet timed: all since the last PCR, and before it as long as no rate is known. */
  #waiting: Run[] = [];
  #waitingOctets = 0;
  /** Those of them that wait for a rate alone. */
  #headOctets = 0;
  #pcr: Pcr | undefined;
  #rate: Rate | undefined;
  #payload: Uint8Array = new Uint8Array(0);
  #payloadTicks = 0;
  #ready: MediaPayload[] = [];

  /** @param packets TS packets of a full payload, 1 to 7. */
  constructor(timeline: MediaTimeline, packets: number) {
    this.#timeline = timeline;
    this.#packets = packets;
  }

  /** @throws TollcastError `NO_PCR` when the stream shows no two PCRs in its first 4 MiB. */
  push(chunk: Uint8Array): MediaPayload[] {
    const input = this.#input.length === 0 ? chunk : concat(this.#input, chunk);
    let start = 0;
    let at = 0;
    // Out of line the next sync octet has to be seen too.
    while (input.length - at >= TS_PACKET + (this.#inLine ? 0 : 1)) {
      if (startsTsPacket(input, at, this.#inLine)) {
        this.#inLine = true;
        const pcr = readPcr(input, at);
        if (pcr !== undefined && (this.#pcr === undefined || this.#pcr.pid === pcr.pid)) {
          this.#wait(input.subarray(start, at), true);
          this.#reach(pcr);
          start = at;
        }
        at += TS_PACKET;
      } else {
        this.#inLine = false;
        this.#wait(input.subarray(start, at), true);
        start = this.#nextStart(input, at + 1);
        this.#wait(input.subarray(at, start), false);
        at = start;
      }
    }
    this.#wait(input.subarray(start, at), true);
    this.#input = input.slice(at);
    return this.#given();
  }

  /** @throws TollcastError `NO_PCR` when the stream had no two PCRs. */
  flush(): MediaPayload[] {
    const rest = this.#input;
    this.#input = new Uint8Array(0);
    this.#wait(rest, false);
    if (this.#waitingOctets > 0) this.#coast();
    this.#closePayload();
    return this.#given();
  }

  #given(): MediaPayload[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  #wait(octets: Uint8Array, packets: boolean): void {
    if (octets.length === 0) return;
    this.#waiting.push({ octets, packets });
    this.#waitingOctets += octets.length;
    if (this.#waitingOctets > MAX_WAITING) {
      this.#coast();
      // Another PID may carry the PCRs from here on.
      this.#pcr = undefined;
    }
  }

  #reach(pcr: Pcr): void {
    const last = this.#pcr;
    this.#pcr = pcr;
    const ticks = last === undefined ? 0 : (pcr.ticks - last.ticks + PCR_MODULUS) % PCR_MODULUS;
    if (last !== undefined && !pcr.discontinuity && ticks > 0 && ticks <= MAX_PCR_GAP) {
      const octets = this.#waitingOctets - this.#headOctets;
      this.#rate = { ticks, octets };
      this.#release(ticks + Math.floor((ticks * this.#headOctets) / octets));
    } else if (this.#rate !== undefined) {
      this.#coast();
    }
    this.#headOctets = this.#waitingOctets;
  }

  /** Times what waits at the rate known so far. */
  #coast(): void {
    if (this.#rate === undefined) {
      throw new TollcastError(
        'NO_PCR',
        'this transport stream has no clock (PCR) to pace it by; name its bit rate with --rate',
      );
    }
    this.#release(Math.floor((this.#rate.ticks * this.#waitingOctets) / this.#rate.octets));
  }

  /** Spreads ticks evenly over all that waits. */
  #release(ticks: number): void {
    const runs = this.#waiting;
    const octets = this.#waitingOctets;
    this.#waiting = [];
    this.#waitingOctets = 0;
    const fitting = Math.floor((MAX_FILLING * octets) / (ticks * TS_PACKET));
    const full = TS_PACKET * Math.max(1, Math.min(this.#packets, fitting));
    let position = 0;
    let before = 0;
    for (const run of runs) {
      if (!run.packets) this.#closePayload();
      for (let at = 0; at < run.octets.length;) {
        const length = Math.min(Math.max(TS_PACKET, full - this.#payload.length), run.octets.length - at);
        position += length;
        const end = Math.floor((ticks * position) / octets);
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
    this.#ready.push({ octets: this.#payload, ...this.#timeline.advance(this.#payloadTicks) });
    this.#payload = new Uint8Array(0);
    this.#payloadTicks = 0;
  }

  /** Where the next packet starts after lost sync, or as far as can be looked and sent at once. */
  #nextStart(input: Uint8Array, from: number): number {
    const end = Math.min(input.length - TS_PACKET, from + this.#packets * TS_PACKET - 1);
    for (let at = from; at < end; at++) if (startsTsPacket(input, at, false)) return at;
    return end;
  }
}

function append(payload: Uint8Array, octets: Uint8Array): Uint8Array {
  return payload.length === 0 ? octets : concat(payload, octets);
}
