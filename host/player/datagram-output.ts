import { TransportError } from '../../apdu/errors.ts';
import { type ClearPackets, joinRtpPackets } from '../stream/opening/clear-packets.ts';
import { UdpSender } from '../transport/network/udp-sender.ts';
import type { Output, OutputAddress } from './output.ts';

/** Time to live of a recovered stream: no router passes it on. */
const TTL = 1;

/**
 * Sends a recovered stream on: whole RTP packets (`rtp`), or the payload of each in a datagram of its own (`udp`).
 * @throws TransportError `UDP_SEND`.
 */
export async function openDatagramOutput(scheme: 'udp' | 'rtp', to: OutputAddress): Promise<Output> {
  const sender = await UdpSender.open({ ...to, ttl: TTL });
  const datagrams = scheme === 'rtp' ? joinRtpPackets : splitPayloads;
  const { promise: ended, resolve: end } = Promise.withResolvers<TransportError | undefined>();
  let isReady = true;
  return {
    where: `${scheme}://${to.address}:${to.port}`,
    lost: 0,
    withheld: 0,
    ended,
    onReady: undefined,
    get isReady() {
      return isReady;
    },
    write(clear) {
      if (!isReady) return;
      try {
        for (const datagram of datagrams(clear)) sender.send(datagram);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        isReady = false;
        end(error);
      }
    },
    close: () => sender.close(),
  };
}

function* splitPayloads({ payload, payloadEnds }: ClearPackets): Generator<Uint8Array> {
  let at = 0;
  for (const end of payloadEnds) {
    yield payload.slice(at, end);
    at = end;
  }
}
