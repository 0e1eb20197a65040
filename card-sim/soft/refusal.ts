/** A command that the card refuses. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** Status word of the answer; never 9000. */
  readonly status: number;

  constructor(status: number) {
    super(`the card refuses the command with ${status.toString(16).toUpperCase()}`);
    this.status = status;
  }
}

/** One for each status word, made once: the stack trace of a new one would cost more than the command. */
const REFUSALS = new Map<number, Refusal>();

/** Ends the command with a status word. @throws Refusal */
export function refuse(status: number): never {
  let refusal = REFUSALS.get(status);
  if (refusal === undefined) {
    refusal = new Refusal(status);
    REFUSALS.set(status, refusal);
  }
  throw refusal;
}
