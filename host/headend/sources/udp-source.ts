import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { openUdpReceiver } from '../../transport/network/udp-receiver.ts';
import { joinRecords, type MediaSource } from './media-source.ts';
import { unwrapRtp } from './rtp-source.ts';
import { WaitingChunks } from './waiting-chunks.ts';

/**
 * Receives octets by UDP, a transport stream as a rule. What was received before the end is still given.
 * @param text `udp://ADDRESS:PORT`, or `rtp://ADDRESS:PORT`, whose RTP headers are taken off.
 * @throws OutOfRangeError when the address is not one.
 * @throws TransportError `PORT_TAKEN`, `ADDRESS_UNREACHABLE`.
 */
export async function openUdpSource(
  text: string,
  networkInterface: string,
  signal: AbortSignal,
  clock: Clock,
): Promise<MediaSource> {
  const waiting = new WaitingChunks();
  let wake = Promise.withResolvers<void>();
  const { scheme, ...from } = parseUdpAddress(text);
  const receiver = await openUdpReceiver({
    ...from,
    interface: networkInterface,
    // The datagrams of a source may be longer than those of a service.
    coalesce: false,
    onDatagrams(datagrams) {
      if (waiting.add(joinRecords(datagrams, clock.monotonic()))) wake.resolve();
    },
  });
  signal.addEventListener('abort', () => wake.resolve(), { once: true });

  const datagrams: MediaSource = {
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          const next = waiting.take();
          if (next !== undefined) {
            yield next;
          } else {
            if (signal.aborted) return;
            await wake.promise;
            wake = Promise.withResolvers();
          }
        }
      } finally {
        await receiver.close();
      }
    },
  };
  return scheme === 'rtp' ? unwrapRtp(datagrams) : datagrams;
}

function parseUdpAddress(text: string): { scheme: string; address: string; port: number } {
  const [, scheme = '', address = '', digits = ''] = /^(udp|rtp):\/\/@?([\d.]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!isIPv4(address) || port < 1 || port > 65_535) {
    throw new OutOfRangeError(
      `"${text.slice(0, 60)}" is not udp://ADDRESS:PORT or rtp://ADDRESS:PORT with IPv4 and a port of 1 to 65535`,
    );
  }
  return { scheme, address, port };
}
