import type { DropReason } from '../status/bridge-status.ts';

/** Counts how often a key message was let go because the card refuses it. */
export class RefusalCount {
  readonly #onDrop: (reason: DropReason, messages: number) => void;
  #reason: DropReason | undefined;
  #count = 0;

  constructor(onDrop: (reason: DropReason, messages: number) => void) {
    this.#onDrop = onDrop;
  }

  /** Says why it is refused; nothing when that is no cause for a complaint. */
  set reason(reason: DropReason | undefined) {
    if (reason !== this.#reason) this.#count = 0;
    this.#reason = reason;
  }

  /** It was refused, or announced again since. */
  add(): void {
    if (this.#reason === undefined) return;
    this.#count++;
    this.#onDrop(this.#reason, 1);
  }

  /** The card took it after all, as when a head-end starts anew and the parent comes later. */
  takeBack(): void {
    if (this.#reason !== undefined && this.#count > 0) this.#onDrop(this.#reason, -this.#count);
    this.#reason = undefined;
    this.#count = 0;
  }
}
