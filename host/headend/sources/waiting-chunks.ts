import type { MediaChunk } from './media-source.ts';

/** Octets that may wait. What comes then is lost, as in a full receive buffer. */
const MAX_OCTETS = 0x1000000;
/** Chunks that may wait. Each takes memory of its own, however short it is. */
const MAX_CHUNKS = 0x4000;

/** Holds what was received and is not sent yet, in order and within bounds. */
export class WaitingChunks {
  readonly #chunks: MediaChunk[] = [];
  #size = 0;

  /** @returns whether there was room. An empty chunk needs none. */
  add(chunk: MediaChunk): boolean {
    const { length } = chunk.octets;
    if (length === 0) return true;
    if (this.#size + length > MAX_OCTETS || this.#chunks.length >= MAX_CHUNKS) return false;
    this.#chunks.push(chunk);
    this.#size += length;
    return true;
  }

  /** Takes the oldest chunk. */
  take(): MediaChunk | undefined {
    const chunk = this.#chunks.shift();
    this.#size -= chunk?.octets.length ?? 0;
    return chunk;
  }
}
