import { TransportError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { SignedOffer } from '../../contract/offer/signed-offer.ts';
import type { HeadEndOptions } from '../options/head-end-option.ts';
import { fetchChannels } from './fetch-channels.ts';
import { hearChannels } from './hear-channels.ts';

/** Where a head-end of this machine listens unless its configuration says otherwise. */
const OWN_HEAD_END = new URL('https://127.0.0.1:8443');
/** Offers that are kept at a time. */
const MAX_CHANNELS = 1000;

/** ms for the head-end of this machine. */
const OWN_TIME = 5000;

interface Search {
  /** Ends the search when an offer is it. */
  readonly isWanted?: (offer: SignedOffer) => boolean;
  readonly clock?: Clock;
  /** The head-end of this machine. */
  readonly own?: URL;
}

/**
 * Finds what is offered: by the head-end that is named, otherwise by those that are announced and by one of this
 * machine. Nothing of it is to be believed yet: an offer proves itself by its signature, `verifyOffer`.
 * @throws TransportError `HTTPS` when the head-end that is named does not answer, or none is heard; what
 *   `openUdpReceiver` throws.
 */
export async function findChannels(
  { headEnd, announcements, interface: local }: HeadEndOptions,
  { isWanted = () => false, clock = systemClock, own = OWN_HEAD_END }: Search = {},
): Promise<SignedOffer[]> {
  if (headEnd !== undefined) return fetchChannels(headEnd);
  const found = new Map<string, SignedOffer>();
  const end = new AbortController();
  const add = (offer: SignedOffer) => {
    if (found.size < MAX_CHANNELS) found.set(toHex(offer.sessionHash), offer);
    if (isWanted(offer)) end.abort();
  };
  const heard = hearChannels({ address: announcements, interface: local, clock }, add, end.signal);
  await Promise.all([heard, askOwn(own, add, end.signal)]);
  if (found.size > 0) return [...found.values()];
  throw new TransportError(
    'HTTPS',
    `no head-end is heard by ${local}; name the address of this machine that is on its network with --interface, or ` +
      'the head-end with --head-end https://HOST:PORT',
  );
}

async function askOwn(own: URL, add: (offer: SignedOffer) => void, signal: AbortSignal): Promise<void> {
  try {
    const channels = await fetchChannels(own, AbortSignal.any([signal, AbortSignal.timeout(OWN_TIME)]));
    for (const offer of channels) add(offer);
  } catch (error) {
    // There need not be one.
    if (!(error instanceof TransportError)) throw error;
  }
}
