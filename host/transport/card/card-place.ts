import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { TollcastError, TransportError } from '../../../apdu/errors.ts';
import { systemClock } from '../../clock/clock.ts';
import { LendingChannel } from './lending/lending-channel.ts';
import { findLender } from './lending/lent-card.ts';
import type { TcpAddress } from './tcp/tcp-address.ts';
import { MAX_COMMAND_MS, TimeLimitedChannel } from './time-limit.ts';

/** ms for which a card that is in use is tried for again: a short command may have it, or be about to lend it. */
const IN_USE_MS = 1_000;
const IN_USE_PAUSE_MS = 100;

/** What names a card in a reader, of this pcscd. */
export function pcscPlace(reader: string): string {
  return `pcsc:${process.env['PCSCLITE_CSOCK_NAME'] ?? ''}:${reader}`;
}

export function tcpPlace({ host, port }: TcpAddress): string {
  const name = host === 'localhost' || host === '::1' ? '127.0.0.1' : host;
  return `tcp:${name}:${port}`;
}

/** The card in a token is one card, whether it is reached as a HID device or by its USB interface. */
export function tokenPlace(serial: string): string {
  return `token:${serial}`;
}

export function softPlace(file: string): string {
  try {
    return `soft:${realpathSync(file)}`;
  } catch {
    return `soft:${resolve(file)}`; // it is not there yet
  }
}

interface TakeOptions {
  /** Name of this program if it is to lend the card itself. */
  readonly lendAs?: string | undefined;
  /** Whether it works through a program that lends the card. */
  readonly mayBorrow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the card at a place: through the program that lends it, else by `open`.
 * @throws TransportError `CARD_IN_USE` when another program lends it and this one may not borrow it; what `open` throws.
 */
export async function takeCard(
  place: string,
  open: () => Promise<CardChannel>,
  options: TakeOptions,
): Promise<CardChannel> {
  const { lendAs, mayBorrow = lendAs === undefined, signal } = options;
  const clock = systemClock;
  for (const start = clock.monotonic(); ; await clock.sleep(IN_USE_PAUSE_MS, signal)) {
    const lender = await findLender(place);
    if (lender !== undefined) {
      // The lender has a time limit of its own, and may have lent the card to another program for some time.
      if (mayBorrow) return new TimeLimitedChannel(lender.channel, { clock, limit: 2 * MAX_COMMAND_MS });
      await lender.channel.close();
      throw new TransportError('CARD_IN_USE', `the card is in use by ${lender.name}; end that first`);
    }
    try {
      const channel = await open();
      return lendAs === undefined ? channel : await LendingChannel.open(channel, { place, program: lendAs, clock });
    } catch (error) {
      if (!isBusy(error) || clock.monotonic() - start > IN_USE_MS) throw error;
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof TollcastError && (error.code === 'CARD_IN_USE' || error.code === 'PCSC_IN_USE');
}
