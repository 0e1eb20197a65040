import { MAX_MESSAGE, readFrame, TOKEN_ERROR, type TokenMessage } from './frame.ts';

/** What a frame has come to. Left out: more frames follow, or it is to be ignored. */
export type FrameOutcome =
  | { readonly message: TokenMessage }
  | { readonly error: (typeof TOKEN_ERROR)['WRONG_SEQUENCE' | 'WRONG_LENGTH']; readonly channel: number };

interface Begun {
  readonly channel: number;
  readonly tag: number;
  readonly data: Uint8Array;
  filled: number;
  sequence: number;
}

/** Puts messages together from frames, one at a time; `firmware-notes/tokens.md` 1. */
export class MessageReader {
  readonly #maxLength: number;
  #begun: Begun | undefined;

  /** @param maxLength of a message, in octets; nothing longer is allocated. */
  constructor(maxLength = MAX_MESSAGE) {
    this.#maxLength = maxLength;
  }

  /** @param octets as they came, of any length. */
  accept(octets: Uint8Array): FrameOutcome | undefined {
    const frame = readFrame(octets);
    if (frame === undefined) return undefined;
    const { channel, tag, sequence, length } = frame;
    if (length !== undefined) {
      this.#begun = undefined;
      if (length > this.#maxLength) return { error: TOKEN_ERROR.WRONG_LENGTH, channel };
      this.#begun = { channel, tag, data: new Uint8Array(length), filled: 0, sequence: 0 };
    } else if (this.#begun === undefined || this.#begun.channel !== channel) {
      return undefined;
    } else if (this.#begun.tag !== tag || this.#begun.sequence + 1 !== sequence) {
      this.#begun = undefined;
      return { error: TOKEN_ERROR.WRONG_SEQUENCE, channel };
    }
    return this.#append(this.#begun, sequence, frame.data);
  }

  #append(begun: Begun, sequence: number, octets: Uint8Array): FrameOutcome | undefined {
    const { channel, tag, data } = begun;
    const part = octets.subarray(0, data.length - begun.filled);
    data.set(part, begun.filled);
    begun.filled += part.length;
    begun.sequence = sequence;
    if (begun.filled < data.length) return undefined;
    this.#begun = undefined;
    return { message: { channel, tag, data } };
  }
}
