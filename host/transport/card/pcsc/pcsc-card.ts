import type { ErrorCode } from '../../../../apdu/error-codes.ts';
import type { TollcastError } from '../../../../apdu/errors.ts';
import { systemClock } from '../../../clock/clock.ts';
import { waitForCard } from '../wait-for-card.ts';
import { PcscChannel } from './pcsc-channel.ts';
import { isTemporary, PcscError, pcscErrorOf, SCARD } from './pcsc-error.ts';
import { pcscd, type PcscHandle } from './pcscd.ts';
import { countEvents, READER_STATE, type Reader } from './pcsclite-reader.ts';

export interface WaitOptions {
  /** Whether to wait for pcscd, reader and card. */
  readonly wait?: boolean | undefined;
  /** Called with each new reason to wait. */
  readonly onWaiting?: ((reason: TollcastError) => void) | undefined;
  /** Ends the waiting with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Codes of errors of a card that has just left; pcscd notices that, and the next card, when it looks again. */
const JUST_LEFT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PCSC_LINK', 'PCSC_REMOVED']);
/** ms within which pcscd has looked again. */
const JUST_LEFT_MS = 1_000;

/**
 * Takes a card for this process alone.
 * @param reader name of the reader, or a part that only one has; without it the first reader with a card.
 * @throws PcscError with code PCSC_NO_SERVICE, PCSC_NO_READER, PCSC_UNKNOWN_READER, PCSC_AMBIGUOUS_READER,
 *   PCSC_NO_CARD, PCSC_MUTE, PCSC_IN_USE or another PCSC_...
 */
export async function openPcscCard(reader?: string, options: WaitOptions = {}): Promise<PcscChannel> {
  const { wait = false, onWaiting, signal } = options;
  const handle = await pcscd.acquire();
  const start = systemClock.monotonic();
  let version = pcscd.version;
  const open = () => {
    version = pcscd.version;
    return openNow(reader, handle);
  };
  const wakeUp = (over: AbortSignal) => pcscd.changed(version, over);
  // A card that has just left is tried for again whether or not the caller waits, and `onWaiting` is not called.
  const openAfterLook = () =>
    waitForCard(open, {
      signal,
      wakeUp,
      isTemporary: ({ code }) => JUST_LEFT.has(code) && systemClock.monotonic() - start < JUST_LEFT_MS,
    });
  try {
    return await (wait ? waitForCard(openAfterLook, { signal, wakeUp, isTemporary, onWaiting }) : openAfterLook());
  } catch (error) {
    handle.release();
    throw error;
  }
}

async function openNow(reader: string | undefined, handle: PcscHandle): Promise<PcscChannel> {
  if (pcscd.failure !== undefined) throw pcscd.failure;
  const candidates = reader === undefined ? pcscd.readers : [requireReader(pcscd.readers, reader)];
  if (candidates.length === 0) throw pcscErrorOf(SCARD.NO_READERS);
  let reason: PcscError | undefined;
  for (const candidate of candidates) {
    const state = candidate.state ?? 0;
    if ((state & READER_STATE.MUTE) !== 0) reason ??= pcscErrorOf(SCARD.UNRESPONSIVE_CARD, candidate.name);
    if ((state & READER_STATE.PRESENT) === 0 || (state & READER_STATE.MUTE) !== 0) continue;
    try {
      return await connectTo(candidate, handle);
    } catch (error) {
      if (!(error instanceof PcscError)) throw error;
      reason ??= error;
    }
  }
  if (reason !== undefined) throw reason;
  const names = candidates.map(({ name }) => name).join(', ');
  throw new PcscError(
    'PCSC_NO_CARD',
    `there is no card in ${names}; insert one, or name another reader`,
    SCARD.NO_SMARTCARD,
  );
}

async function connectTo(reader: Reader, handle: PcscHandle): Promise<PcscChannel> {
  const events = countEvents(reader.state);
  const connection = await reader.connect();
  try {
    const channel = new PcscChannel(reader, connection, events, handle);
    await channel.requireCard();
    return channel;
  } catch (error) {
    await connection.disconnect('leave');
    throw error;
  }
}

/** Finds the reader of this name, or the only one whose name has it as a part, in capitals or not. */
function requireReader(readers: readonly Reader[], wanted: string): Reader {
  const exact = readers.find((reader) => reader.name === wanted);
  if (exact !== undefined) return exact;
  const matching = readers.filter((reader) => reader.name.toLowerCase().includes(wanted.toLowerCase()));
  const [only, ...others] = matching;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    throw new PcscError(
      'PCSC_AMBIGUOUS_READER',
      `"${wanted}" is part of several reader names: ${quoteNames(matching)}; write more of the one you mean`,
      0,
    );
  }
  const there = readers.length === 0 ? 'no reader is connected; plug it in' : `write one of ${quoteNames(readers)}`;
  throw new PcscError('PCSC_UNKNOWN_READER', `no reader is called "${wanted}"; ${there}`, SCARD.UNKNOWN_READER);
}

function quoteNames(readers: readonly Reader[]): string {
  return readers.map((reader) => `"${reader.name}"`).join(', ');
}
