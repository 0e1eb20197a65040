import { write } from 'sdp-transform';
import { formatOfferHint, KEY_PORT_ATTRIBUTE, OFFER_ATTRIBUTE } from '../../contract/announcement/offer-hint.ts';
import { payloadTypeOf, type SourceFormat } from '../sources/source-format.ts';
import type { ApiAddress, OpenOffer } from './open-offers.ts';

/** Seconds between 1900, from which SDP counts (RFC 4566 5.9), and 1970. */
const NTP_EPOCH = 2_208_988_800;

/**
 * Describes a session as SDP: where its packets are, whom they come from, and where its signed offer is.
 * @param ttl networks that its packets may cross.
 * @param format of its source.
 * @param changedAt seconds since 1970, when its members changed last.
 */
export function describeSession(
  { id, signed }: OpenOffer,
  api: ApiAddress,
  { ttl, format, changedAt }: { readonly ttl: number; readonly format: SourceFormat; readonly changedAt: number },
): string {
  const { session, name, address } = signed;
  const payload = payloadTypeOf(format);
  const codec = format === 'ts' ? 'MP2T' : 'x-tollcast';
  return write({
    version: 0,
    origin: {
      username: session.user,
      sessionId: session.id,
      // A later offer is a later version, and so is a list on which others are.
      sessionVersion: Math.max(signed.from, changedAt) + NTP_EPOCH,
      netType: 'IN',
      ipVer: 4,
      address: session.address,
    },
    name,
    timing: { start: 0, stop: 0 },
    connection: { version: 4, ip: `${address.address}/${ttl}` },
    ...(address.sources.length > 0 && { sourceFilter: filterOf(address) }),
    invalid: [
      { value: `${OFFER_ATTRIBUTE}:${formatOfferHint({ id, ...api })}` },
      { value: `${KEY_PORT_ATTRIBUTE}:${address.keyPort}` },
    ],
    media: [
      {
        type: format === 'ts' ? 'video' : 'application',
        port: address.port,
        protocol: 'RTP/AVP',
        payloads: String(payload),
        rtp: [{ payload, codec, rate: 90_000 }],
        fmtp: [],
      },
    ],
  });
}

/** Whose packets a receiver is to ask for, as the offer says too: RFC 4570. */
function filterOf({ address, sources }: OpenOffer['signed']['address']) {
  return {
    filterMode: 'incl' as const,
    netType: 'IN',
    addressTypes: 'IP4',
    destAddress: address,
    srcList: sources.join(' '),
  };
}
