import { TollcastError } from '../../../apdu/errors.ts';
import { concat } from '../../../apdu/octets.ts';
import type { MediaPayload } from '../../stream/sealing/group-sealer.ts';
import { type MediaTimeline, TICKS_PER_SECOND } from './media-timeline.ts';
import type { Packer } from './rate-packer.ts';
import { PCR_MODULUS, type Pcr, readPcr, startsTsPacket, TS_PACKET } from './ts-packet.ts';

/** Ticks; a greater step from one PCR to the next is a jump of the clock. ISO/IEC 13818-1 2.7.2 allows 0.1 s. */
const MAX_PCR_GAP = 2 * TICKS_PER_SECOND;
/** Octets that may wait for a PCR. With more, the stream goes on at the rate it had. */
const MAX_WAITING = 0x400000;
/** Ticks; payloads are filled as long as they do not last longer. */
const MAX_FILLING = TICKS_PER_SECOND;

/** Most ms of one payload: one TS packet may last the whole step from a PCR to the next. */
export const MAX_TS_PAYLOAD_DURATION = ((MAX_PCR_GAP + MAX_FILLING) / TICKS_PER_SECOND) * 1000;

/** Octets that follow each other in the source: whole TS packets, or octets between packets where the sync is lost. */
interface Run {
  readonly octets: Uint8Array;
  readonly packets: boolean;
}

interface Rate {
  readonly ticks: number;
  readonly octets: number;
}

/**
 * Packs whole TS packets into payloads (RFC 2250 2). Their times come from the PCRs of one PID: octets between two PCRs
 * are spread evenly, which follows a variable rate. Before the first PCR and after the last the nearest rate known
 * holds. Over a jump, with or without the discontinuity indicator, the rate before it holds. Octets that are out of
 * sync are sent like all others, in payloads of their own.
 */
export class TsPacker implements Packer {
  readonly #timeline: MediaTimeline;
  readonly #packets: number;
  /** Octets that are not cut into packets yet. */
  #input = new Uint8Array(0);
  /** Whether a packet ended where the next octets start. */
  #inLine = false;
  /** Runs without times yet: all since the last PCR, and all before it as long as no rate is known. */
  #waiting: Run[] = [];
  #waitingOctets = 0;
  /** Those of the waiting octets that came before the last PCR. */
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
    // Where no packet ended before, the next sync octet has to be seen too.
    while (input.length - at >= TS_PACKET + (this.#inLine ? 0 : 1)) {
      if (startsTsPacket(input, at, this.#inLine)) {
        this.#inLine = true;
        const pcr = readPcr(input, at);
        if (pcr !== undefined && (this.#pcr === undefined || this.#pcr.pid === pcr.pid)) {
          this.#addWaiting(input.subarray(start, at), true);
          this.#reachPcr(pcr);
          start = at;
        }
        at += TS_PACKET;
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
    return this.#takeReady();
  }

  /** @throws TollcastError `NO_PCR` when the stream had no two PCRs. */
  flush(): MediaPayload[] {
    const rest = this.#input;
    this.#input = new Uint8Array(0);
    this.#addWaiting(rest, false);
    if (this.#waitingOctets > 0) this.#coast();
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
    this.#waiting.push({ octets, packets });
    this.#waitingOctets += octets.length;
    if (this.#waitingOctets > MAX_WAITING) {
      this.#coast();
      // From here on another PID may carry the PCRs.
      this.#pcr = undefined;
    }
  }

  #reachPcr(pcr: Pcr): void {
    const last = this.#pcr;
    this.#pcr = pcr;
    const ticks = last === undefined ? 0 : (pcr.ticks - last.ticks + PCR_MODULUS) % PCR_MODULUS;
    if (last !== undefined && !pcr.discontinuity && ticks > 0 && ticks <= MAX_PCR_GAP) {
      const octets = this.#waitingOctets - this.#headOctets;
      this.#rate = { ticks, octets };
      this.#spread(ticks + Math.floor((ticks * this.#headOctets) / octets));
    } else if (this.#rate !== undefined) {
      this.#coast();
    }
    this.#headOctets = this.#waitingOctets;
  }

  /** Gives what waits its times at the rate known so far. */
  #coast(): void {
    if (this.#rate === undefined) {
      throw new TollcastError(
        'NO_PCR',
        'this transport stream has no clock (PCR) to pace it by; name its bit rate with --rate',
      );
    }
    this.#spread(Math.floor((this.#rate.ticks * this.#waitingOctets) / this.#rate.octets));
  }

  /** Spreads ticks evenly over all that waits. */
  #spread(ticks: number): void {
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

  /** Finds where the next packet starts after lost sync. Without one it gives the end of what can be sent at once. */
  #findStart(input: Uint8Array, from: number): number {
    const end = Math.min(input.length - TS_PACKET, from + this.#packets * TS_PACKET - 1);
    for (let at = from; at < end; at++) if (startsTsPacket(input, at, false)) return at;
    return end;
  }
}

function append(payload: Uint8Array, octets: Uint8Array): Uint8Array {
  return payload.length === 0 ? octets : concat(payload, octets);
}
