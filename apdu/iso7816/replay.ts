import type { CardChannel } from '../card-channel.ts';
import { CardGoneError, TollcastError, TransportError } from '../errors.ts';
import { toHex } from '../octets.ts';
import { fromRedactedHex, type RedactedHex, type Trace } from './trace.ts';

/**
 * A card that answers what a trace says, as long as it gets the commands of the trace in their order. Octets that the
 * trace hides match any octet in a command, and are 00 in an answer. Errors of the transport come again.
 */
export class ReplayChannel implements CardChannel {
  readonly atr: Uint8Array;
  readonly #entries: Trace['entries'];
  #next = 0;
  #closed = false;

  constructor(trace: Trace) {
    this.atr = trace.atr;
    this.#entries = trace.entries;
  }

  /** Entries that are not asked for yet. */
  get left(): number {
    return this.#entries.length - this.#next;
  }

  /** @throws TollcastError with code REPLAY when the command is not the one of the trace. */
  async transmit(command: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw new CardGoneError('the replay is closed; open it again');
    const entry = this.#entries[this.#next];
    const sent = toHex(command);
    if (entry === undefined) {
      throw new TollcastError('REPLAY', `the trace ends before ${shorten(sent)}; record it anew`);
    }
    if (!matches(entry.command, sent)) {
      const expected = shorten(entry.command);
      throw new TollcastError(
        'REPLAY',
        `command ${this.#next + 1} of the trace is ${expected}, not ${shorten(sent)}; record it anew`,
      );
    }
    this.#next++;
    if (entry.answer !== undefined) return fromRedactedHex(entry.answer);
    if (entry.error === 'CARD_GONE') throw new CardGoneError();
    throw new TransportError(entry.error ?? 'UNEXPECTED', 'the transport failed here when the trace was recorded');
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

function matches(pattern: RedactedHex, sent: string): boolean {
  if (pattern.length !== sent.length) return false;
  for (let i = 0; i < sent.length; i++) {
    if (pattern[i] !== sent[i] && pattern[i] !== '.') return false;
  }
  return true;
}

/** The header of a command is enough to find it, and tells no secret. */
function shorten(hex: string): string {
  return `${hex.slice(0, 8).toUpperCase()} (${hex.length / 2} octets)`;
}
