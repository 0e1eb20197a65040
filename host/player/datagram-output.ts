import { TransportError } from '../../apdu/errors.ts';
import { type ClearPackets, clearRtpPackets } from '../stream/opening/clear-packets.ts';
import { UdpSender } from '../transport/network/udp-sender.ts';
import type { Output } from './output.ts';

/** Networks that a recovered stream may cross: none but the one it is sent to. */
const TTL = 1;

/**
 * Sends a recovered stream on: whole RTP packets (`rtp`), or the payload of each in a datagram of its own (`udp`).
 * @throws TransportError `UDP_SEND`.
 */
export async function openDatagramOutput(
  scheme: 'udp' | 'rtp',
  address: string,
  port: number,
  local: string,
): Promise<Output> {
  const sender = await UdpSender.open({ address, port, interface: local, ttl: TTL });
  const datagrams = scheme === 'rtp' ? clearRtpPackets : payloads;
  const { promise: ended, resolve: end } = Promise.withResolvers<TransportError | undefined>();
  let isReady = true;
  return {
    where: `${scheme}://${address}:${port}`,
    lost: 0,
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

function* payloads({ payload, payloadEnds }: ClearPackets): Generator<Uint8Array> {
  let at = 0;
  for (const end of payloadEnds) {
    yield payload.slice(at, end);
    at = end;
  }
}
