import { FormatError, TransportError } from '../../../apdu/errors.ts';
import { parseOffer, type SignedOffer } from '../../contract/offer/signed-offer.ts';
import { requestPinned } from '../../transport/network/pinned-https.ts';

/** Octets of a list of offers, and of one signed offer. */
const MAX_LIST = 1_000_000;
const MAX_OFFER = 16_384;
/** Channels of one head-end. */
const MAX_CHANNELS = 1000;
const HREF = /^\/v1\/offers\/[0-9a-f]{40}$/;

/**
 * Fetches the offers of a head-end. Neither it nor they are to be believed yet: an offer proves itself by its signature,
 * `verifyOffer`.
 * @param headEnd `https://HOST:PORT`.
 * @throws TransportError `HTTPS` when it does not answer as a head-end does.
 */
export async function fetchChannels(headEnd: URL): Promise<SignedOffer[]> {
  const list = await fetchOctets(new URL('/v1/offers', headEnd), MAX_LIST);
  const channels: SignedOffer[] = [];
  for (const href of readAddresses(list, headEnd)) {
    const octets = await fetchOctets(new URL(href, headEnd), MAX_OFFER);
    try {
      channels.push(parseOffer(octets));
    } catch (error) {
      // It may be of a later version.
      if (!(error instanceof FormatError)) throw error;
    }
  }
  return channels;
}

async function fetchOctets(url: URL, maxAnswer: number): Promise<Uint8Array> {
  const { status, body } = await requestPinned({ url, maxAnswer });
  if (status === 200) return body;
  throw new TransportError('HTTPS', `${url.href} answers with status ${status}; check the address of the head-end`);
}

function readAddresses(list: Uint8Array, headEnd: URL): string[] {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(list));
    const offers: unknown = Reflect.get(Object(json), 'offers');
    if (!Array.isArray(offers)) throw new TypeError('offers');
    return offers
      .slice(0, MAX_CHANNELS)
      .map((entry) => String(Reflect.get(Object(entry), 'href')))
      .filter((href) => HREF.test(href));
  } catch (cause) {
    throw new TransportError('HTTPS', `${headEnd.origin} lists no offers; check the address of the head-end`, {
      cause,
    });
  }
}
