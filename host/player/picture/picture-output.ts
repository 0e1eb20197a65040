import { type Clock, systemClock } from '../../clock/clock.ts';
import type { ClearPackets } from '../../stream/opening/clear-packets.ts';
import type { Output } from '../output.ts';
import { enterPicture } from './enter-picture.ts';
import { PictureTracker } from './picture-tracker.ts';

/** ms after which a player gets what there is, though no picture has begun: more than encoders let pass between two. */
export const MAX_PICTURE_WAIT = 10_000;

/** An output that begins with a whole picture, wherever in the stream the run begins. */
export class PictureOutput implements Output {
  readonly #output: Output;
  readonly #clock: Clock;
  #tracker: PictureTracker | undefined = new PictureTracker();
  #since: number | undefined;
  withheld = 0;

  constructor(output: Output, clock: Clock = systemClock) {
    this.#output = output;
    this.#clock = clock;
  }

  get where(): string {
    return this.#output.where;
  }

  get lost(): number {
    return this.#output.lost;
  }

  get ended(): Output['ended'] {
    return this.#output.ended;
  }

  get isReady(): boolean {
    return this.#output.isReady;
  }

  get onReady(): (() => void) | undefined {
    return this.#output.onReady;
  }

  set onReady(onReady: (() => void) | undefined) {
    this.#output.onReady = onReady;
  }

  write(clear: ClearPackets): void {
    const begun = this.#begin(clear);
    if (begun !== undefined) this.#output.write(begun);
  }

  close(): Promise<void> {
    return this.#output.close();
  }

  /** What a player gets of these packets; undefined while no picture has begun. */
  #begin(clear: ClearPackets): ClearPackets | undefined {
    if (this.#tracker === undefined) return clear;
    const now = this.#clock.monotonic();
    this.#since ??= now;
    const isLate = now - this.#since > MAX_PICTURE_WAIT;
    const found = clear.isStart === true ? 'anywhere' : this.#tracker.findEntry(clear.payload);
    const entry = found ?? (isLate ? { offset: 0, tables: this.#tracker.tables } : undefined);
    if (entry === undefined) {
      this.withheld += clear.payload.length;
      return undefined;
    }
    this.#tracker = undefined;
    if (entry === 'anywhere') return clear;
    this.withheld += entry.offset;
    return enterPicture(clear, entry);
  }
}
