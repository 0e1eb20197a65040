import { FormatError } from '../../../apdu/errors.ts';

/** Name of the SDP attribute that says where the signed offer is. */
export const OFFER_ATTRIBUTE = 'x-tollcast-offer';
/** Name of the SDP attribute with the port of the key messages. */
export const KEY_PORT_ATTRIBUTE = 'x-tollcast-key-port';

/** Where a signed offer is to be had, as an announcement says. Whoever fetches it checks its signature. */
export interface OfferHint {
  /** The session hash, 40 hexadecimal digits. */
  readonly id: string;
  /** The API, `https://HOST:PORT`; the offer is at `/v1/offers/ID`. */
  readonly url: string;
  /** SHA-256 of the TLS key of the API, 64 hexadecimal digits. */
  readonly tlsKey: string;
}

const HINT = /^([0-9a-f]{40}) (https:\/\/[\w.:[\]-]{1,200}) ([0-9a-f]{64})$/;

/** Writes the value of the attribute. */
export function formatOfferHint({ id, url, tlsKey }: OfferHint): string {
  return `${id} ${url} ${tlsKey}`;
}

/** @throws FormatError when it is not the value of that attribute. */
export function parseOfferHint(text: string): OfferHint {
  const [, id, url, tlsKey] = HINT.exec(text) ?? [];
  if (id === undefined || url === undefined || tlsKey === undefined || !URL.canParse(url)) {
    throw new FormatError('the announcement does not say where its offer is; drop it');
  }
  return { id, url, tlsKey };
}

/**
 * Reads where an announced SDP says that its offer is.
 * @throws FormatError when it does not say it.
 */
export function findOfferHint(sdp: string): OfferHint {
  const head = `a=${OFFER_ATTRIBUTE}:`;
  const line = sdp.split(/\r?\n/).find((one) => one.startsWith(head)) ?? head;
  return parseOfferHint(line.slice(head.length));
}
