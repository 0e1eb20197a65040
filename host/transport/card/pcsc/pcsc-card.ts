import type { CardChannel } from '../../../../apdu/card-channel.ts';
import type { ErrorCode } from '../../../../apdu/error-codes.ts';
import { CardGoneError, type TollcastError } from '../../../../apdu/errors.ts';
import { systemClock } from '../../../clock/clock.ts';
import { quoteWord } from '../quote-word.ts';
import { TimeLimitedChannel } from '../time-limit.ts';
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
  /**
   * Takes the card in a reader, by `open` unless it knows another way to it; called with the reader that was found.
   * `open` is what is done without it.
   */
  readonly take?: ((reader: string, open: () => Promise<CardChannel>) => Promise<CardChannel>) | undefined;
  /** Says who has a card that is in use, as far as that is known. */
  readonly nameUser?: ((reader: string) => Promise<string | undefined>) | undefined;
}

/** SELECT without a name: every card answers it, and it changes nothing on any. */
const SELECT_NOTHING = Uint8Array.of(0x00, 0xa4, 0x04, 0x00, 0x00);

/** Codes of errors of a card that has just left; pcscd notices that, and the next card, when it looks again. */
const JUST_LEFT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PCSC_LINK', 'PCSC_REMOVED']);
/** ms within which pcscd has looked again. */
const JUST_LEFT_MS = 1_000;
/** ms between attempts meanwhile: pcscd may see the next card without telling of a change. */
const JUST_LEFT_PAUSES = [25, 50] as const;

/**
 * Takes a card for this process alone, or shares it with a program that shares it.
 * @param reader name of the reader, or a part that only one has; without it the one reader that has a card.
 * @throws PcscError with code PCSC_NO_SERVICE, PCSC_NO_READER, PCSC_UNKNOWN_READER, PCSC_AMBIGUOUS_READER,
 *   PCSC_SEVERAL_CARDS, PCSC_NO_CARD, PCSC_MUTE, PCSC_IN_USE or another PCSC_...
 * @throws TransportError `CARD_STALLED` when the reader or the card does not answer.
 */
export async function openPcscCard(reader?: string, options: WaitOptions = {}): Promise<CardChannel> {
  const { wait = false, onWaiting, signal } = options;
  const handle = await pcscd.acquire();
  const start = systemClock.monotonic();
  let version = pcscd.version;
  const open = () => {
    version = pcscd.version;
    return openNow(reader, handle, options);
  };
  const wakeUp = (over: AbortSignal) => pcscd.changed(version, over);
  // A card that has just left is tried for again whether or not the caller waits, and `onWaiting` is not called.
  const openAfterLook = () =>
    waitForCard(open, {
      signal,
      wakeUp,
      pauses: JUST_LEFT_PAUSES,
      isTemporary: ({ code }) => JUST_LEFT.has(code) && systemClock.monotonic() - start < JUST_LEFT_MS,
    });
  let opened = false;
  try {
    const opening = wait ? waitForCard(openAfterLook, { signal, wakeUp, isTemporary, onWaiting }) : openAfterLook();
    const { channel, usesHandle } = await opening;
    opened = usesHandle;
    return channel;
  } finally {
    if (!opened) handle.release();
  }
}

interface OpenedCard {
  readonly channel: CardChannel;
  /** Whether the channel needs the connection with pcscd, and releases it when it is closed. */
  readonly usesHandle: boolean;
}

async function openNow(wanted: string | undefined, handle: PcscHandle, options: WaitOptions): Promise<OpenedCard> {
  if (pcscd.failure !== undefined) throw pcscd.failure;
  const reader =
    wanted === undefined ? await requireOnlyCard(pcscd.readers, options) : requireReader(pcscd.readers, wanted);
  const state = reader.state ?? 0;
  if ((state & READER_STATE.MUTE) !== 0) throw pcscErrorOf(SCARD.UNRESPONSIVE_CARD, reader.name);
  if ((state & READER_STATE.PRESENT) === 0) throw noCardError([reader]);
  let usesHandle = false;
  const open = async (): Promise<CardChannel> => {
    const channel = await connectTo(reader, handle);
    usesHandle = true;
    return channel;
  };
  const channel = await (options.take === undefined ? open() : options.take(reader.name, open));
  return { channel, usesHandle };
}

function noCardError(readers: readonly Reader[]): PcscError {
  const names = readers.map(({ name }) => name).join(', ');
  return new PcscError(
    'PCSC_NO_CARD',
    `there is no card in ${names}; insert one, or name another reader`,
    SCARD.NO_SMARTCARD,
  );
}

async function connectTo(reader: Reader, handle: PcscHandle): Promise<CardChannel> {
  const events = countEvents(reader.state);
  const connection = await reader.connect();
  let isOpened = false;
  // An attempt that fails keeps the handle for the next one.
  const release = () => isOpened && handle.release();
  const raw = new PcscChannel(reader, connection, events, { release });
  const channel = new TimeLimitedChannel(raw, { clock: systemClock });
  try {
    // pcscd accepts connections up to 0.4 s after a removal: only an answer shows that there is a card.
    await channel.transmit(SELECT_NOTHING);
    isOpened = true;
    return channel;
  } catch (error) {
    await channel.close();
    throw error instanceof CardGoneError && error.cause instanceof PcscError ? error.cause : error;
  }
}

/** Finds the one reader that has a card. Of several nobody knows which one is meant, so none of them is touched. */
async function requireOnlyCard(readers: readonly Reader[], { nameUser }: WaitOptions): Promise<Reader> {
  if (readers.length === 0) throw pcscErrorOf(SCARD.NO_READERS);
  const withCard = readers.filter(({ state = 0 }) => (state & READER_STATE.PRESENT) !== 0);
  const [only, ...others] = withCard;
  if (only === undefined) throw noCardError(readers);
  if (others.length === 0) return only;
  const named = await Promise.all(withCard.map(async ({ name }) => describeCard(name, await nameUser?.(name))));
  const example = quoteWord(`pcsc:${only.name}`);
  throw new PcscError(
    'PCSC_SEVERAL_CARDS',
    `there are cards in several readers: ${named.join(', ')}; name the one you mean, as in --card ${example}`,
    0,
  );
}

function describeCard(reader: string, user: string | undefined): string {
  return user === undefined ? `"${reader}"` : `"${reader}" (in use by ${user})`;
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
