import type { ErrorCode } from '../../../../apdu/error-codes.ts';
import { TransportError } from '../../../../apdu/errors.ts';

/** Results of PC/SC calls, `SCARD_...` of winscard.h. */
export const SCARD = {
  CANCELLED: 0x80100002,
  INVALID_HANDLE: 0x80100003,
  NO_MEMORY: 0x80100006,
  UNKNOWN_READER: 0x80100009,
  SHARING_VIOLATION: 0x8010000b,
  NO_SMARTCARD: 0x8010000c,
  PROTO_MISMATCH: 0x8010000f,
  NOT_READY: 0x80100010,
  COMM_ERROR: 0x80100013,
  NOT_TRANSACTED: 0x80100016,
  READER_UNAVAILABLE: 0x80100017,
  NO_SERVICE: 0x8010001d,
  SERVICE_STOPPED: 0x8010001e,
  NO_READERS: 0x8010002e,
  UNSUPPORTED_CARD: 0x80100065,
  UNRESPONSIVE_CARD: 0x80100066,
  UNPOWERED_CARD: 0x80100067,
  RESET_CARD: 0x80100068,
  REMOVED_CARD: 0x80100069,
  SECURITY_VIOLATION: 0x8010006a,
} as const;

const MUTE_ADVICE = 'insert it the other way round, or clean its contacts';

/** By result: stable code, what happened, what to do next. */
const RESULTS: ReadonlyMap<number, readonly [code: ErrorCode, text: string, advice: string]> = new Map<
  number,
  readonly [code: ErrorCode, text: string, advice: string]
>([
  [SCARD.CANCELLED, ['PCSC_CANCELLED', 'the request was cancelled', 'try again']],
  [
    SCARD.INVALID_HANDLE,
    ['PCSC_INVALID_HANDLE', 'the connection to the card is no longer valid', 'open the card again'],
  ],
  [
    SCARD.NO_MEMORY,
    ['PCSC_NO_MEMORY', 'pcscd has no room for another connection', 'end other programs that use cards'],
  ],
  [
    SCARD.UNKNOWN_READER,
    ['PCSC_UNKNOWN_READER', 'the reader is not there', 'plug it in; `tollcast card list` shows all'],
  ],
  [
    SCARD.SHARING_VIOLATION,
    ['PCSC_IN_USE', 'another program is using the card', 'end it (a browser, `gpgconf --kill scdaemon`) and try again'],
  ],
  [SCARD.NO_SMARTCARD, ['PCSC_NO_CARD', 'there is no card in the reader', 'insert it']],
  [SCARD.PROTO_MISMATCH, ['PCSC_PROTOCOL', 'the ATR of the card offers neither T=0 nor T=1', MUTE_ADVICE]],
  [SCARD.NOT_READY, ['PCSC_NOT_READY', 'the reader is not ready', 'wait a moment and try again']],
  [SCARD.COMM_ERROR, ['PCSC_SERVICE_LOST', 'the connection to pcscd broke', 'start it (`systemctl start pcscd`)']],
  [SCARD.NOT_TRANSACTED, ['PCSC_LINK', 'the link to the card broke in mid-command', 'insert the card again']],
  [SCARD.READER_UNAVAILABLE, ['PCSC_READER_GONE', 'the reader is not available', 'plug it in again']],
  [
    SCARD.NO_SERVICE,
    ['PCSC_NO_SERVICE', 'pcscd is not running', 'start it (`systemctl start pcscd`, or as root `pcscd`)'],
  ],
  [SCARD.SERVICE_STOPPED, ['PCSC_SERVICE_LOST', 'pcscd stopped', 'start it (`systemctl start pcscd`)']],
  [SCARD.NO_READERS, ['PCSC_NO_READER', 'no card reader is connected', 'plug one in']],
  [SCARD.UNSUPPORTED_CARD, ['PCSC_MUTE', 'the reader does not understand the card', MUTE_ADVICE]],
  [SCARD.UNRESPONSIVE_CARD, ['PCSC_MUTE', 'the card does not answer', MUTE_ADVICE]],
  [SCARD.UNPOWERED_CARD, ['PCSC_UNPOWERED', 'the reader has switched the card off', 'insert it again']],
  [SCARD.RESET_CARD, ['PCSC_RESET', 'another program reset the card', 'end that program, then open the card again']],
  [SCARD.REMOVED_CARD, ['PCSC_REMOVED', 'the card was taken out', 'insert it again']],
  [
    SCARD.SECURITY_VIOLATION,
    ['PCSC_DENIED', 'pcscd does not let this user in', 'ask for the polkit right org.debian.pcsc-lite.access_pcsc'],
  ],
]);

/** Results after which the context with pcscd is dead and must be replaced by a new one. */
const PCSCD_LOST: ReadonlySet<number> = new Set([SCARD.COMM_ERROR, SCARD.NO_SERVICE, SCARD.SERVICE_STOPPED]);

/** Results after which the card has, or may have, forgotten what was open on it. */
const CARD_LOST: ReadonlySet<number> = new Set([
  ...PCSCD_LOST,
  SCARD.INVALID_HANDLE,
  SCARD.UNKNOWN_READER,
  SCARD.NO_SMARTCARD,
  SCARD.NOT_TRANSACTED,
  SCARD.READER_UNAVAILABLE,
  SCARD.UNRESPONSIVE_CARD,
  SCARD.UNPOWERED_CARD,
  SCARD.RESET_CARD,
  SCARD.REMOVED_CARD,
]);

/** Codes of errors that waiting does not mend. */
const LASTING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PCSC_NOT_INSTALLED',
  'PCSC_WORKER',
  'PCSC_DENIED',
  'PCSC_AMBIGUOUS_READER',
  'PCSC_SEVERAL_CARDS',
]);

/** A PC/SC call that failed; `code` is `PCSC_...`. */
export class PcscError extends TransportError {
  /** `SCARD_...` result, 0 where the failure has none. */
  readonly result: number;

  constructor(code: ErrorCode, message: string, result: number, options?: ErrorOptions) {
    super(code, message, options);
    this.result = result;
  }

  get isPcscdLost(): boolean {
    return PCSCD_LOST.has(this.result);
  }

  get isCardLost(): boolean {
    return CARD_LOST.has(this.result);
  }
}

/** Makes the error of a result. @param reader named in the message unless the failure is pcscd's own. */
export function pcscErrorOf(result: number, reader?: string, options?: ErrorOptions): PcscError {
  const hex = `0x${result.toString(16).padStart(8, '0')}`;
  const [code, text, advice] =
    RESULTS.get(result) ??
    (['PCSC_FAILED', `PC/SC failed with ${hex}`, 'insert the card again, or restart pcscd'] as const);
  const where = reader === undefined || PCSCD_LOST.has(result) ? '' : `${reader}: `;
  return new PcscError(code, `${where}${text}; ${advice}`, result, options);
}

/** Reads the result out of pcsclite's message: "SCardConnect error: No smart card inserted.(0x8010000c)". */
export function pcscErrorFrom(cause: unknown, reader?: string): PcscError {
  const message = cause instanceof Error ? cause.message : '';
  const hex = /\(0x([0-9a-f]{8,16})\)/i.exec(message)?.[1];
  // A 64-bit LONG may come sign-extended.
  if (hex !== undefined) return pcscErrorOf(Number.parseInt(hex.slice(-8), 16), reader, { cause });
  return new PcscError('PCSC_FAILED', `PC/SC failed (${message}); insert the card again, or restart pcscd`, 0, {
    cause,
  });
}

/** Whether waiting for a reader, a card or pcscd may mend this error. */
export function isTemporary(error: unknown): boolean {
  return error instanceof PcscError && !LASTING.has(error.code);
}
