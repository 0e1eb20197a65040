import { type ErrorCode, exitStatusOf } from './error-codes.ts';

/** What Tollcast throws on purpose: a stable `code`, and a message that says what happened and what to do next. */
export class TollcastError extends Error {
  override readonly name: string = 'TollcastError';
  /** Stable, upper-case, for programs; the message is for people and may change. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Status with which the command line ends, 1 to 8. */
  get exitStatus(): number {
    return exitStatusOf(this.code);
  }
}

/** Octets that do not follow `firmware-notes/protocol.md` or ISO/IEC 7816. */
export class FormatError extends TollcastError {
  override readonly name = 'FormatError';

  constructor(message: string, options?: ErrorOptions) {
    super('FORMAT', message, options);
  }
}

/** A text, typed by a person, that is not what it has to be; the message says how to write it. */
export class InputError extends TollcastError {
  override readonly name = 'InputError';

  constructor(message: string, options?: ErrorOptions) {
    super('INPUT', message, options);
  }
}

/** A value outside its range; the message names the range. */
export class OutOfRangeError extends TollcastError {
  override readonly name = 'OutOfRangeError';

  constructor(message: string, options?: ErrorOptions) {
    super('OUT_OF_RANGE', message, options);
  }
}

/** What came between us and the card: no reader, no card, card pulled, card replaced, service not running. */
export class TransportError extends TollcastError {
  override readonly name = 'TransportError';
}

/** The card left, was reset or was replaced while a session with it was open: what the session knew is void. */
export class CardGoneError extends TollcastError {
  override readonly name = 'CardGoneError';

  constructor(
    message = 'the card left the reader; insert it again and the session starts anew',
    options?: ErrorOptions,
  ) {
    super('CARD_GONE', message, options);
  }
}
