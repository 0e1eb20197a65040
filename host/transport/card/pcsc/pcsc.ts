import { systemClock } from '../../../clock/clock.ts';
import type { TollcastError } from '../../../../apdu/errors.ts';
import { waitForCard } from '../wait-for-card.ts';
import { PcscChannel } from './pcsc-channel.ts';
import { PcscError, pcscErrorOf, SCARD } from './pcsc-error.ts';
import { eventCounter, READER_STATE, type BoundReader } from './pcsc-port.ts';
import { pcscService, type Lease } from './pcsc-service.ts';

/** A reader and what is in it. */
export interface ReaderInfo {
  readonly name: string;
  /** `mute`: a card that does not answer its reset; `in-use`: somebody had it open when the reader was last looked at. */
  readonly state: 'empty' | 'card' | 'in-use' | 'mute';
  /** Answer to reset, empty without a card. */
  readonly atr: Uint8Array;
  /** Cards that came and went, modulo 65,536: two different numbers, two different visits of a card. */
  readonly events: number;
}

/** What `watchReaders` tells. */
export type ReaderEvent =
  /** At first, and whenever a reader came or went. */
  | { readonly type: 'readers'; readonly readers: readonly ReaderInfo[] }
  | { readonly type: 'inserted' | 'removed'; readonly reader: ReaderInfo }
  /** pcscd ended, or could not be reached from the start; `readers` follows when it is back. */
  | { readonly type: 'service-lost'; readonly error: PcscError };

export interface WaitOptions {
  /** Wait for pcscd, reader and card instead of failing. */
  readonly wait?: boolean | undefined;
  /** Told of each new reason to wait. */
  readonly onWaiting?: ((reason: TollcastError) => void) | undefined;
  /** Ends the waiting with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What no waiting mends. */
const HOPELESS: ReadonlySet<string> = new Set([
  'PCSC_NOT_INSTALLED',
  'PCSC_WORKER',
  'PCSC_DENIED',
  'PCSC_AMBIGUOUS_READER',
]);
/** What looked like a card is one that has just left; pcscd sees that, and the next card, at its next look. */
const LEFT_BEHIND: ReadonlySet<string> = new Set(['PCSC_LINK', 'PCSC_REMOVED']);
const LEFT_BEHIND_MS = 1_000;

/**
 * The readers and what is in them.
 * @throws PcscError when pcscd cannot be reached; no reader at all is an empty list.
 */
export async function listReaders(): Promise<ReaderInfo[]> {
  const lease = await pcscService.use();
  try {
    if (pcscService.failure !== undefined) throw pcscService.failure;
    return pcscService.readers.map(describe);
  } finally {
    lease.release();
  }
}

/**
 * Takes a card for this process alone.
 *
 * @param reader name of the reader, or a part that only one has; the first reader with a card unless told.
 * @throws PcscError with code PCSC_NO_SERVICE, PCSC_NO_READER, PCSC_UNKNOWN_READER, PCSC_AMBIGUOUS_READER,
 *   PCSC_NO_CARD, PCSC_MUTE, PCSC_IN_USE or another PCSC_...
 */
export async function openPcscCard(reader?: string, options: WaitOptions = {}): Promise<PcscChannel> {
  const { wait = false, onWaiting, signal } = options;
  const lease = await pcscService.use();
  const start = systemClock.monotonic();
  let version = pcscService.version;
  const open = () => {
    version = pcscService.version;
    return openNow(reader, lease);
  };
  const wakeUp = (over: AbortSignal) => pcscService.changed(version, over);
  // What looked like a card and has just left is tried again whether or not the caller waits, and nobody is told.
  const openSettled = () =>
    waitForCard(open, {
      signal,
      wakeUp,
      isTemporary: ({ code }) => LEFT_BEHIND.has(code) && systemClock.monotonic() - start < LEFT_BEHIND_MS,
    });
  try {
    return await (wait ? waitForCard(openSettled, { signal, wakeUp, isTemporary, onWaiting }) : openSettled());
  } catch (error) {
    lease.release();
    throw error;
  }
}

function isTemporary(error: TollcastError): boolean {
  return error instanceof PcscError && !HOPELESS.has(error.code);
}

async function openNow(reader: string | undefined, lease: Lease): Promise<PcscChannel> {
  if (pcscService.failure !== undefined) throw pcscService.failure;
  const candidates = reader === undefined ? pcscService.readers : [pickReader(pcscService.readers, reader)];
  if (candidates.length === 0) throw pcscErrorOf(SCARD.NO_READERS);
  let reason: PcscError | undefined;
  for (const bound of candidates) {
    const state = bound.state ?? 0;
    if ((state & READER_STATE.MUTE) !== 0) reason ??= pcscErrorOf(SCARD.UNRESPONSIVE_CARD, bound.name);
    if ((state & READER_STATE.PRESENT) === 0 || (state & READER_STATE.MUTE) !== 0) continue;
    try {
      return await connectTo(bound, lease);
    } catch (error) {
      if (!(error instanceof PcscError)) throw error;
      reason ??= error;
    }
  }
  if (reason !== undefined) throw reason;
  const names = candidates.map((bound) => bound.name).join(', ');
  throw new PcscError(
    'PCSC_NO_CARD',
    `there is no card in ${names}; insert one, or name another reader`,
    SCARD.NO_SMARTCARD,
  );
}

async function connectTo(bound: BoundReader, lease: Lease): Promise<PcscChannel> {
  const counter = eventCounter(bound.state);
  const connection = await bound.connect();
  try {
    const channel = new PcscChannel(bound, connection, counter, lease);
    await channel.prove();
    return channel;
  } catch (error) {
    await connection.disconnect('leave');
    throw error;
  }
}

/** The name itself, or a part of it in any case that only one reader has. */
function pickReader(readers: readonly BoundReader[], wanted: string): BoundReader {
  const exact = readers.find((reader) => reader.name === wanted);
  if (exact !== undefined) return exact;
  const matching = readers.filter((reader) => reader.name.toLowerCase().includes(wanted.toLowerCase()));
  const [only, ...others] = matching;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    throw new PcscError(
      'PCSC_AMBIGUOUS_READER',
      `"${wanted}" is part of several reader names: ${quoted(matching)}; write more of the one you mean`,
      0,
    );
  }
  const there = readers.length === 0 ? 'no reader is connected; plug it in' : `write one of ${quoted(readers)}`;
  throw new PcscError('PCSC_UNKNOWN_READER', `no reader is called "${wanted}"; ${there}`, SCARD.UNKNOWN_READER);
}

function quoted(readers: readonly BoundReader[]): string {
  return readers.map((reader) => `"${reader.name}"`).join(', ');
}

function describe(reader: BoundReader): ReaderInfo {
  const { PRESENT, MUTE, EXCLUSIVE, IN_USE } = READER_STATE;
  const flags = reader.state ?? 0;
  const present = (flags & PRESENT) !== 0 && !reader.gone;
  const inUse = (flags & (EXCLUSIVE | IN_USE)) !== 0;
  const state = !present ? 'empty' : (flags & MUTE) !== 0 ? 'mute' : inUse ? 'in-use' : 'card';
  return { name: reader.name, state, atr: present ? reader.atr : new Uint8Array(), events: eventCounter(reader.state) };
}

/**
 * Tells of readers and cards as they come and go, and of pcscd itself, until the signal aborts. What happens while
 * nobody asks is told as its outcome: a card taken out and put back as removed, then inserted.
 */
export async function* watchReaders(options: { signal?: AbortSignal } = {}): AsyncGenerator<ReaderEvent, void> {
  const { signal } = options;
  const lease = await pcscService.use();
  try {
    let known: readonly ReaderInfo[] | undefined;
    let failure: PcscError | undefined;
    for (;;) {
      if (signal?.aborted === true) return;
      const version = pcscService.version;
      if (pcscService.failure !== undefined) {
        if (failure === undefined) yield { type: 'service-lost', error: pcscService.failure };
        known = undefined;
      } else {
        const readers = pcscService.readers.map(describe);
        yield* difference(known, readers);
        known = readers;
      }
      failure = pcscService.failure;
      await pcscService.changed(version, signal);
    }
  } finally {
    lease.release();
  }
}

function* difference(before: readonly ReaderInfo[] | undefined, now: readonly ReaderInfo[]): Generator<ReaderEvent> {
  const names = (readers: readonly ReaderInfo[]): string =>
    readers
      .map((reader) => reader.name)
      .toSorted()
      .join('\n');
  if (before === undefined || names(before) !== names(now)) yield { type: 'readers', readers: now };
  for (const reader of before ?? []) {
    const after = now.find((other) => other.name === reader.name);
    if (reader.state !== 'empty' && (after?.state === 'empty' || after?.events !== reader.events)) {
      yield { type: 'removed', reader };
    }
  }
  for (const reader of now) {
    const earlier = before?.find((other) => other.name === reader.name);
    const there = earlier !== undefined && earlier.state !== 'empty' && earlier.events === reader.events;
    if (reader.state !== 'empty' && !there) yield { type: 'inserted', reader };
  }
}
