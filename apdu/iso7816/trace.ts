import type { CardChannel } from '../card-channel.ts';
import { type ErrorCode, isErrorCode } from '../error-codes.ts';
import { FormatError, TollcastError } from '../errors.ts';
import { toHex } from '../octets.ts';
import { MAX_COMMAND_OCTETS, parseCommand } from './command-apdu.ts';
import { MAX_RESPONSE_OCTETS } from './response-apdu.ts';

/** How much of one command and its answer may be written down, in octets from the start of each data field. */
export interface Shown {
  readonly command: number;
  readonly answer: number;
}

/** Says for each command APDU how much of it may be seen; header, length fields and status word always are. */
export type RedactionPolicy = (command: Uint8Array) => Shown;

/** For cards without secrets, and for tests that search a trace for what must not be in it. */
export const showEverything: RedactionPolicy = () => ({ command: Infinity, answer: Infinity });
/** Headers, lengths and status words only. */
export const showHeaders: RedactionPolicy = () => ({ command: 0, answer: 0 });

/** Octets in hexadecimal, ".." for each one that is not shown. */
export type RedactedHex = string;

/** One command and what came of it. */
export interface TraceEntry {
  /** When it was sent and when its answer was there, by the clock handed in. */
  readonly at: number;
  readonly until: number;
  readonly command: RedactedHex;
  /** The answer with its status word; none when the transport failed. */
  readonly answer?: RedactedHex;
  /** `code` of the transport's error; UNEXPECTED for one that is not Tollcast's. */
  readonly error?: ErrorCode;
}

/** What a card was asked and said, from one opening of a channel on. */
export interface Trace {
  readonly atr: Uint8Array;
  readonly entries: readonly TraceEntry[];
}

export interface TraceOptions {
  readonly policy: RedactionPolicy;
  /** Milliseconds, from any origin. */
  readonly clock: () => number;
  /** Takes each entry as it is complete. */
  readonly sink: (entry: TraceEntry) => void;
}

const INS_GET_RESPONSE = 0xc0;

/** Passes commands through and writes down what the policy allows. */
export function traceChannel(channel: CardChannel, options: TraceOptions): CardChannel {
  const { policy, clock, sink } = options;
  let answerShown = 0;

  async function transmit(command: Uint8Array): Promise<Uint8Array> {
    const shown = policy(command);
    // GET RESPONSE brings the answer of the command before it: what was secret there is secret here.
    answerShown = command[1] === INS_GET_RESPONSE ? Math.min(answerShown, shown.answer) : shown.answer;
    const limit = answerShown;
    const at = clock();
    const sent = redactCommand(command, shown.command);
    let answer: Uint8Array;
    try {
      answer = await channel.transmit(command);
    } catch (error) {
      const code = error instanceof TollcastError ? error.code : 'UNEXPECTED';
      sink({ at, until: clock(), command: sent, error: code });
      throw error;
    }
    sink({ at, until: clock(), command: sent, answer: redact(answer, 0, limit, Math.max(0, answer.length - 2)) });
    return answer;
  }

  // What is entered at the reader no program sees, and no trace.
  const enterPin = channel.enterPin?.bind(channel);
  return { atr: channel.atr, transmit, enterPin, close: () => channel.close() };
}

function redactCommand(command: Uint8Array, shown: number): RedactedHex {
  let from = Math.min(4, command.length);
  let to = command.length;
  try {
    const { data } = parseCommand(command);
    if (data === undefined) return toHex(command);
    from = data.byteOffset - command.byteOffset;
    to = from + data.length;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error; // malformed: its header only
  }
  return redact(command, from, shown, to);
}

/** Hides what lies between `from` + `shown` and `to`. */
function redact(octets: Uint8Array, from: number, shown: number, to: number): RedactedHex {
  const hideFrom = Math.min(to, from + shown);
  return toHex(octets.subarray(0, hideFrom)) + '..'.repeat(to - hideFrom) + toHex(octets.subarray(to));
}

/** One JSON line for the ATR, then one for each entry. */
export function formatTrace(trace: Trace): string {
  const lines = [JSON.stringify({ atr: toHex(trace.atr) }), ...trace.entries.map((entry) => JSON.stringify(entry))];
  return `${lines.join('\n')}\n`;
}

/**
 * Reads what `formatTrace` wrote.
 * @throws FormatError naming the first line that is not of a trace.
 */
export function parseTrace(text: string): Trace {
  const [head, ...rest] = text.split('\n').filter((line) => line.trim() !== '');
  const first = head === undefined ? {} : parseLine(head, 1);
  if (!isRedactedHex(first['atr'], 0, 64) || first['atr'].includes('.')) {
    throw new FormatError('line 1 is not the first line of a trace; it reads {"atr":"3b80800101"}');
  }
  const atr = fromRedactedHex(first['atr']);
  return { atr, entries: rest.map((line, index) => parseEntry(line, index + 2)) };
}

function parseEntry(line: string, number: number): TraceEntry {
  const { at, until, command, answer, error } = parseLine(line, number);
  const timed = typeof at === 'number' && typeof until === 'number';
  if (timed && isRedactedHex(command, 0, MAX_COMMAND_OCTETS)) {
    if (error === undefined && isRedactedHex(answer, 2, MAX_RESPONSE_OCTETS)) return { at, until, command, answer };
    if (answer === undefined && typeof error === 'string' && isErrorCode(error)) return { at, until, command, error };
  }
  throw new FormatError(`line ${number} is not of a trace; it holds at, until, command, and answer or error`);
}

function parseLine(line: string, number: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new FormatError(`line ${number} of the trace is not JSON; a trace has one JSON object a line`, { cause });
  }
  if (!isObject(value)) throw new FormatError(`line ${number} of the trace is not a JSON object; it is not a trace`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isRedactedHex(value: unknown, least: number, most: number): value is RedactedHex {
  if (typeof value !== 'string' || value.length < 2 * least || value.length > 2 * most) return false;
  return /^(?:[0-9a-f]{2}|\.\.)*$/.test(value);
}

/** The octets of redacted hexadecimal, 00 in place of what is not shown. */
export function fromRedactedHex(text: RedactedHex): Uint8Array {
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i++) {
    const pair = text.slice(2 * i, 2 * i + 2);
    octets[i] = pair === '..' ? 0 : Number.parseInt(pair, 16);
  }
  return octets;
}
