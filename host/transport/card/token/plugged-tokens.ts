import { TransportError } from '../../../../apdu/errors.ts';
import { listHidTokens } from '../hid/hid-token.ts';
import { waitForCard } from '../wait-for-card.ts';
import { listUsbTokens } from '../webusb/usb-token.ts';
import type { PluggedToken } from './plugged-token.ts';

/** ms between two looks for a token; no system of all tells of a HID device that comes. */
const PAUSES = [250, 1_000] as const;

/** A token, and the ways to it: one that is a HID device and has a USB interface too is there twice. */
export interface FoundToken extends Pick<PluggedToken, 'serial' | 'product'> {
  readonly kind: 'hid' | 'usb';
}

/**
 * Lists the tokens that are plugged in.
 * @throws TransportError `HID_NOT_INSTALLED` when neither HID nor USB can be asked.
 */
export async function listTokens(): Promise<FoundToken[]> {
  const [hid, usb] = await Promise.allSettled([listHidTokens(), listUsbTokens()]);
  if (hid.status === 'rejected' && usb.status === 'rejected') throw hid.reason;
  const found = [hid, usb].map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
  return (['hid', 'usb'] as const).flatMap((kind, i) =>
    found[i]!.map(({ serial, product }) => ({ kind, serial, product })),
  );
}

/**
 * Waits until a token is plugged in.
 * @throws TransportError as {@link listTokens} does; the signal's reason when it aborts.
 */
export async function waitForAnyToken(signal?: AbortSignal): Promise<void> {
  await waitForCard(requireAnyToken, { signal, pauses: PAUSES, isTemporary: ({ code }) => code === 'NO_TOKEN' });
}

async function requireAnyToken(): Promise<void> {
  if ((await listTokens()).length === 0) throw new TransportError('NO_TOKEN', 'no token is plugged in; plug one in');
}
