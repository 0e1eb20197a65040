import type { CardChannel } from '../../../apdu/card-channel.ts';
import { CardGoneError, OutOfRangeError, type TollcastError, TransportError } from '../../../apdu/errors.ts';
import { systemClock } from '../../clock/clock.ts';
import { pcscPlace, softPlace, takeCard, tcpPlace, tokenPlace } from './card-place.ts';
import { nameLender } from './lending/lent-card.ts';
import type { TcpAddress } from './tcp/tcp-address.ts';
import { TimeLimitedChannel } from './time-limit.ts';
import { waitForCard } from './wait-for-card.ts';

/** Where a card is, as written after `--card`. */
export type CardAddress =
  | { readonly kind: 'pcsc'; readonly reader?: string }
  | { readonly kind: 'tcp'; readonly at: TcpAddress }
  | { readonly kind: 'hid' | 'usb'; readonly serial?: string }
  | { readonly kind: 'soft'; readonly file?: string };

/** The syntax in words, for `--help` and for errors. */
export const CARD_ADDRESS_SYNTAX =
  'pcsc (the one reader with a card), pcsc:READER or READER (name or part of it), tcp:HOST:PORT (runner), ' +
  'hid or usb (the one token, as a HID device or by its USB interface), hid:SERIAL or usb:SERIAL, soft or soft:FILE';

export interface OpenCardOptions {
  /** Whether to wait for the card when it is not there. */
  readonly wait?: boolean | undefined;
  /** Called with each new reason to wait. */
  readonly onWaiting?: ((reason: TollcastError) => void) | undefined;
  /** Ends the waiting with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whether `soft:FILE` may be a new, blank card. */
  readonly create?: boolean | undefined;
  /**
   * Name of this program, as in `tollcast watch`, when it has the card for long: other programs of this user work
   * through it meanwhile. Without it a card that such a program has is opened through that one.
   */
  readonly lendAs?: string | undefined;
  /** Whether this program, too, would work through another one that has the card; without `lendAs` it always does. */
  readonly mayBorrow?: boolean | undefined;
  /** Called with the name of the PC/SC reader in which the card was found. */
  readonly onReader?: ((reader: string) => void) | undefined;
}

/** Reads an address as `CARD_ADDRESS_SYNTAX` has it. @throws OutOfRangeError */
export function parseCardAddress(text: string): CardAddress {
  const [scheme, rest] = splitOnce(text);
  if (text === 'pcsc') return { kind: 'pcsc' };
  if (text === 'soft') return { kind: 'soft' };
  if (text === 'hid' || text === 'usb') return { kind: text };
  if (scheme === 'tcp') return { kind: 'tcp', at: parseTcpAddress(text, rest) };
  if (rest === '' && (scheme === 'pcsc' || scheme === 'soft' || scheme === 'hid' || scheme === 'usb')) {
    throw new OutOfRangeError(`"${text}" names nothing after the colon; a card is at ${CARD_ADDRESS_SYNTAX}`);
  }
  if (scheme === 'soft') return { kind: 'soft', file: rest };
  if (scheme === 'hid' || scheme === 'usb') return { kind: scheme, serial: rest };
  if (scheme === 'pcsc') return { kind: 'pcsc', reader: rest };
  if (text.trim() === '') throw new OutOfRangeError(`no card is named; a card is at ${CARD_ADDRESS_SYNTAX}`);
  return { kind: 'pcsc', reader: text };
}

function splitOnce(text: string): [scheme: string | undefined, rest: string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [undefined, text] : [text.slice(0, colon), text.slice(colon + 1)];
}

function parseTcpAddress(text: string, rest: string): TcpAddress {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(rest) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new OutOfRangeError(`"${text}" is not tcp:HOST:PORT with a port of 1 to 65535, as in tcp:127.0.0.1:35963`);
  }
  return { host, port };
}

/**
 * Opens the card at an address (see `CARD_ADDRESS_SYNTAX`). What carries it is loaded only now. A command that the card
 * does not answer in time fails with `CARD_STALLED`.
 * @throws OutOfRangeError when the text is not an address.
 * @throws TransportError when the card is not there, or another program has it.
 */
export async function openCard(address: string | CardAddress, options: OpenCardOptions = {}): Promise<CardChannel> {
  const where = typeof address === 'string' ? parseCardAddress(address) : address;
  const { signal } = options;
  const opening = openAt(where, options);
  if (signal === undefined) return opening;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    // A reader that does not answer cannot be told to stop.
    return await Promise.race([opening, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
    if (signal.aborted) closeLater(opening);
  }
}

function closeLater(opening: Promise<CardChannel>): void {
  opening.then(
    (channel) => channel.close(),
    () => {},
  );
}

async function openAt(where: CardAddress, options: OpenCardOptions): Promise<CardChannel> {
  const { wait, signal } = options;
  switch (where.kind) {
    case 'pcsc': {
      const { openPcscCard } = await import('./pcsc/pcsc-card.ts');
      return openPcscCard(where.reader, {
        ...options,
        nameUser: (reader) => nameLender(pcscPlace(reader)),
        take: async (reader, open) => {
          const channel = await takeCard(pcscPlace(reader), open, options);
          options.onReader?.(reader);
          return channel;
        },
      });
    }
    case 'tcp': {
      const { openTcpCard } = await import('./tcp/tcp-card.ts');
      const open = async () => limitTime(await openTcpCard(where.at, signal));
      const take = () => takeCard(tcpPlace(where.at), open, options);
      return wait === true ? waitForCard(take, options) : take();
    }
    case 'hid': {
      const { findHidToken, openHidToken } = await import('./hid/hid-token.ts');
      const take = async () => {
        const token = await findHidToken(where.serial);
        return takeCard(tokenPlace(token.serial), async () => limitTime(await openHidToken(token)), options);
      };
      return wait === true ? waitForToken(take, options) : take();
    }
    case 'usb': {
      const { findUsbToken, openUsbToken } = await import('./webusb/usb-token.ts');
      const take = async () => {
        const token = await findUsbToken(where.serial);
        return takeCard(tokenPlace(token.serial), async () => limitTime(await openUsbToken(token)), options);
      };
      return wait === true ? waitForToken(take, options) : take();
    }
    case 'soft': {
      const { openSoftCard } = await import('./soft/soft-card.ts');
      const { file } = where;
      const open = async () => limitTime(await openSoftCard(file, options.create === true));
      const take = () => (file === undefined ? open() : takeCard(softPlace(file), open, options));
      return wait === true ? waitForCard(take, options) : take();
    }
  }
}

function waitForToken(take: () => Promise<CardChannel>, options: OpenCardOptions): Promise<CardChannel> {
  return waitForCard(take, { ...options, isTemporary: isAbsent });
}

/** A token may be pulled while it is being opened, too. */
function isAbsent(error: TollcastError): boolean {
  return error instanceof TransportError || error instanceof CardGoneError;
}

function limitTime(channel: CardChannel): CardChannel {
  return new TimeLimitedChannel(channel, { clock: systemClock });
}

/**
 * Opens the card of one program again and again, always where it was at first: `pcsc` without a reader means the
 * reader in which the first card was found, whatever comes into another one later.
 */
export function createCardOpener(
  address: string | CardAddress,
  options: Omit<OpenCardOptions, 'signal' | 'onReader'>,
): (signal: AbortSignal) => Promise<CardChannel> {
  let where = typeof address === 'string' ? parseCardAddress(address) : address;
  const onReader = (reader: string): void => {
    where = { kind: 'pcsc', reader };
  };
  return (signal) => openCard(where, { ...options, signal, onReader });
}
