import type { CardChannel } from '../../../apdu/card-channel.ts';
import { OutOfRangeError, type TollcastError } from '../../../apdu/errors.ts';
import type { TcpAddress } from './tcp/tcp-address.ts';
import { waitForCard } from './wait-for-card.ts';

/** Where a card is, as written after `--card`. */
export type CardAddress =
  | { readonly kind: 'pcsc'; readonly reader?: string }
  | { readonly kind: 'tcp'; readonly at: TcpAddress }
  | { readonly kind: 'soft'; readonly file?: string };

/** The syntax in words, for `--help` and for errors. */
export const CARD_ADDRESS_SYNTAX =
  'pcsc (first reader with a card), pcsc:READER or READER (name or part of it), tcp:HOST:PORT (runner), ' +
  'soft or soft:FILE';

export interface OpenCardOptions {
  /** Whether to wait for the card when it is not there. */
  readonly wait?: boolean | undefined;
  /** Called with each new reason to wait. */
  readonly onWaiting?: ((reason: TollcastError) => void) | undefined;
  /** Ends the waiting with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whether `soft:FILE` may be a new, blank card. */
  readonly create?: boolean | undefined;
}

/** Reads an address as `CARD_ADDRESS_SYNTAX` has it. @throws OutOfRangeError */
export function parseCardAddress(text: string): CardAddress {
  const [scheme, rest] = splitOnce(text);
  if (text === 'pcsc') return { kind: 'pcsc' };
  if (text === 'soft') return { kind: 'soft' };
  if (scheme === 'tcp') return { kind: 'tcp', at: parseTcpAddress(text, rest) };
  if (rest === '' && (scheme === 'pcsc' || scheme === 'soft')) {
    throw new OutOfRangeError(`"${text}" names nothing after the colon; a card is at ${CARD_ADDRESS_SYNTAX}`);
  }
  if (scheme === 'soft') return { kind: 'soft', file: rest };
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
 * Opens the card at an address (see `CARD_ADDRESS_SYNTAX`). What carries it is loaded only now.
 * @throws OutOfRangeError when the text is not an address.
 * @throws TransportError when the card is not there.
 */
export async function openCard(address: string | CardAddress, options: OpenCardOptions = {}): Promise<CardChannel> {
  const where = typeof address === 'string' ? parseCardAddress(address) : address;
  switch (where.kind) {
    case 'pcsc': {
      const { openPcscCard } = await import('./pcsc/pcsc-card.ts');
      return openPcscCard(where.reader, options);
    }
    case 'tcp': {
      const { openTcpCard } = await import('./tcp/tcp-card.ts');
      const open = () => openTcpCard(where.at, options.signal);
      return options.wait === true ? waitForCard(open, options) : open();
    }
    case 'soft': {
      const { openSoftCard } = await import('./soft/soft-card.ts');
      const open = async () => openSoftCard(where.file, options.create === true);
      return options.wait === true ? waitForCard(open, options) : open();
    }
  }
}
