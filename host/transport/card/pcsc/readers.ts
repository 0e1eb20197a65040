import type { TollcastError } from '../../../../apdu/errors.ts';
import { waitForCard } from '../wait-for-card.ts';
import { isTemporary, PcscError, pcscErrorOf, SCARD } from './pcsc-error.ts';
import { pcscd } from './pcscd.ts';
import { countEvents, READER_STATE, type Reader } from './pcsclite-reader.ts';

/** A reader and what is in it. */
export interface ReaderInfo {
  readonly name: string;
  /** `mute`: the card does not answer its reset. `in-use`: a program had it open when pcscd last looked. */
  readonly state: 'empty' | 'card' | 'in-use' | 'mute';
  /** Answer to reset, empty without a card. */
  readonly atr: Uint8Array;
  /** Cards that came and went, modulo 65,536: two different numbers, two different visits of a card. */
  readonly events: number;
}

/** A reader, a card or pcscd came or went. */
export type ReaderEvent =
  /** At first, and whenever a reader came or went. */
  | { readonly type: 'readers'; readonly readers: readonly ReaderInfo[] }
  | { readonly type: 'inserted' | 'removed'; readonly reader: ReaderInfo }
  /** pcscd ended, or could not be reached from the start; `readers` follows when it is back. */
  | { readonly type: 'service-lost'; readonly error: PcscError };

/**
 * Lists the readers and what is in them.
 * @throws PcscError when pcscd cannot be reached; no reader at all is an empty list.
 */
export async function listReaders(): Promise<ReaderInfo[]> {
  const handle = await pcscd.acquire();
  try {
    if (pcscd.failure !== undefined) throw pcscd.failure;
    return pcscd.readers.map(describeReader);
  } finally {
    handle.release();
  }
}

/**
 * Waits until there is a card in any reader, also one that does not answer or that another program has open.
 * @param onWaiting called with each new reason to wait: no pcscd, no reader, no card.
 * @throws PcscError when waiting cannot help, as where pcsclite is not installed; the signal's reason when it aborts.
 */
export async function waitForAnyCard(onWaiting: (reason: TollcastError) => void, signal?: AbortSignal): Promise<void> {
  const handle = await pcscd.acquire();
  let { version } = pcscd;
  const look = async (): Promise<void> => {
    ({ version } = pcscd);
    if (pcscd.failure !== undefined) throw pcscd.failure;
    requireAnyCard(pcscd.readers.map(describeReader));
  };
  try {
    await waitForCard(look, { signal, onWaiting, isTemporary, wakeUp: (over) => pcscd.changed(version, over) });
  } finally {
    handle.release();
  }
}

/** @throws PcscError when there is no reader, or none has a card. */
function requireAnyCard(readers: readonly ReaderInfo[]): void {
  if (readers.length === 0) throw pcscErrorOf(SCARD.NO_READERS);
  if (readers.some(({ state }) => state !== 'empty')) return;
  const names = readers.map(({ name }) => name).join(', ');
  throw new PcscError('PCSC_NO_CARD', `there is no card in ${names}; insert one`, SCARD.NO_SMARTCARD);
}

function describeReader(reader: Reader): ReaderInfo {
  const { PRESENT, MUTE, EXCLUSIVE, IN_USE } = READER_STATE;
  const flags = reader.state ?? 0;
  const present = (flags & PRESENT) !== 0 && !reader.gone;
  const inUse = (flags & (EXCLUSIVE | IN_USE)) !== 0;
  const state = !present ? 'empty' : (flags & MUTE) !== 0 ? 'mute' : inUse ? 'in-use' : 'card';
  return { name: reader.name, state, atr: present ? reader.atr : new Uint8Array(), events: countEvents(reader.state) };
}

/**
 * Yields an event when a reader, a card or pcscd comes or goes, until the signal aborts. Of what happened while the
 * caller did not ask it yields the outcome: for a card taken out and put back `removed`, then `inserted`.
 */
export async function* watchReaders(options: { signal?: AbortSignal } = {}): AsyncGenerator<ReaderEvent, void> {
  const { signal } = options;
  const handle = await pcscd.acquire();
  try {
    let known: readonly ReaderInfo[] | undefined;
    let failure: PcscError | undefined;
    for (;;) {
      if (signal?.aborted === true) return;
      const version = pcscd.version;
      if (pcscd.failure !== undefined) {
        if (failure === undefined) yield { type: 'service-lost', error: pcscd.failure };
        known = undefined;
      } else {
        const readers = pcscd.readers.map(describeReader);
        yield* compareReaders(known, readers);
        known = readers;
      }
      failure = pcscd.failure;
      await pcscd.changed(version, signal);
    }
  } finally {
    handle.release();
  }
}

function* compareReaders(
  before: readonly ReaderInfo[] | undefined,
  now: readonly ReaderInfo[],
): Generator<ReaderEvent> {
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
