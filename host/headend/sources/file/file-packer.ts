import {
  DESCRIPTION_PIECE,
  encodeFileDescription,
  type FileDescription,
} from '../../../stream/file/file-description.ts';
import { MAX_PAYLOAD, type MediaPayload } from '../../../stream/sealing/group-sealer.ts';
import { type MediaTimeline, TICKS_PER_SECOND } from '../media-timeline.ts';
import type { Packer } from '../rate-packer.ts';
import { RateTicks } from '../rate-ticks.ts';

export interface FilePackerOptions {
  /** bit/s. */
  readonly rate: number;
  /** Pieces in a group. Groups begin at the same pieces in every pass, so that a receiver pays none twice. */
  readonly groupPieces: number;
}

/** Ticks after which the file is described again, for who comes late. */
const DESCRIBE_EVERY = 2 * TICKS_PER_SECOND;

/**
 * Cuts a file that comes again and again into pieces, each with its number (protocol 5.5). The description comes
 * first in every pass, and again and again between groups.
 */
export class FilePacker implements Packer {
  readonly startedAt = undefined;
  readonly #timeline: MediaTimeline;
  readonly #file: FileDescription;
  readonly #description: Uint8Array;
  readonly #options: FilePackerOptions;
  readonly #ticks = new RateTicks();
  #rest = new Uint8Array(0);
  /** Octets of the present pass that were given. */
  #at = 0;
  #describedAt = -Infinity;

  /** @throws OutOfRangeError when the file cannot be described. */
  constructor(timeline: MediaTimeline, file: FileDescription, options: FilePackerOptions) {
    this.#timeline = timeline;
    this.#file = file;
    this.#description = encodeFileDescription(file);
    this.#options = options;
  }

  push(chunk: Uint8Array): MediaPayload[] {
    const { pieceLength, length } = this.#file;
    const payloads: MediaPayload[] = [];
    let octets = chunk;
    if (this.#rest.length > 0) {
      octets = new Uint8Array(this.#rest.length + chunk.length);
      octets.set(this.#rest);
      octets.set(chunk, this.#rest.length);
    }
    let at = 0;
    for (;;) {
      const size = Math.min(pieceLength, length - this.#at);
      if (octets.length - at < size) break;
      payloads.push(...this.#piece(octets.subarray(at, at + size)));
      at += size;
      this.#at = (this.#at + size) % length;
    }
    this.#rest = octets.slice(at);
    return payloads;
  }

  /** A piece that is not whole is of no use. */
  flush(): MediaPayload[] {
    return [];
  }

  #piece(octets: Uint8Array): MediaPayload[] {
    const number = this.#at / this.#file.pieceLength;
    const startsGroup = number % this.#options.groupPieces === 0;
    const isDue = number === 0 || (startsGroup && this.#timeline.position - this.#describedAt >= DESCRIBE_EVERY);
    const described = isDue ? [this.#payload(this.#description, DESCRIPTION_PIECE, true)] : [];
    if (isDue) this.#describedAt = this.#timeline.position;
    return [...described, this.#payload(octets, number, startsGroup)];
  }

  #payload(octets: Uint8Array, number: number, startsGroup: boolean): MediaPayload {
    const span = this.#timeline.advance(this.#ticks.take(octets.length * 8, this.#options.rate));
    return { octets, ...span, timestamp: number, startsGroup };
  }
}

/** How many pieces at a rate last no longer than a group may, one at least. @param closingTime ms. */
export function chooseGroupPieces(every: number, rate: number, closingTime: number): number {
  // A ms less, as parts of a ms are counted with one piece or the other.
  const fitting = Math.floor(((closingTime - 1) * rate) / (1000 * 8 * MAX_PAYLOAD));
  return Math.max(1, Math.min(every, fitting));
}
