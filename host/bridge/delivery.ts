import type { Clock } from '../clock/clock.ts';
import { ClearWriter } from '../stream/opening/clear-packets.ts';
import type { ClearSink } from '../stream/opening/clear-sink.ts';
import type { StatusCounters } from './status/status-counters.ts';

/** Octets from which on clear packets are passed on although there is more to open. */
const BATCH = 64 * 1024;

/** Passes on what was opened, in batches. */
export class Delivery {
  /** Takes the packets that are opened. */
  readonly writer = new ClearWriter();
  readonly #sink: ClearSink;
  readonly #clock: Clock;
  readonly #counters: StatusCounters;
  #startedAt = 0;
  #isStart = false;

  constructor(sink: ClearSink, clock: Clock, counters: StatusCounters) {
    this.#sink = sink;
    this.#clock = clock;
    this.#counters = counters;
  }

  /** The run begins. */
  start(): void {
    this.#startedAt = this.#clock.monotonic();
  }

  /** A group was opened and written. @param number 1 for the first of a stream. */
  groupOpened(number: number): void {
    if (number === 1) this.#isStart = true;
  }

  /** Passes on what was opened, if it is a whole batch. */
  flushBatch(): void {
    if (this.writer.octets >= BATCH) this.flush();
  }

  /** Passes on all that was opened. */
  flush(): void {
    if (this.writer.packets === 0) return;
    this.#counters.delivered(this.#clock.monotonic() - this.#startedAt);
    this.#sink.write({ ...this.writer.written, isStart: this.#isStart });
    this.#isStart = false;
    this.writer.clear();
  }
}
