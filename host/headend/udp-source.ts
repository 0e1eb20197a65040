import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { concat } from '../../apdu/octets.ts';
import { openUdpReceiver } from '../transport/udp-receiver.ts';
import type { MediaSource } from './media-source.ts';

/** Octets that may wait; what comes after them is lost, as it is in a full receive buffer. */
const MOST_WAITING = 0x1000000;

/**
 * Receives octets by UDP, a transport stream as a rule.
 * @throws OutOfRangeError when the address is none.
 * @throws TransportError `PORT_TAKEN`, `GROUP_UNREACHABLE`.
 */
export async function openUdpSource(text: string, networkInterface: string, signal: AbortSignal): Promise<MediaSource> {
  const waiting: { octets: Uint8Array; arrival: number }[] = [];
  let size = 0;
  let lag = 0;
  let wake = Promise.withResolvers<void>();
  const receiver = await openUdpReceiver({
    ...parseUdpAddress(text),
    interface: networkInterface,
    // Its datagrams may be longer than ours.
    coalesce: false,
    onDatagrams(datagrams) {
      const octets = concat(...datagrams);
      if (size + octets.length > MOST_WAITING) return;
      waiting.push({ octets, arrival: performance.now() });
      size += octets.length;
      wake.resolve();
    },
  });
  signal.addEventListener('abort', () => wake.resolve(), { once: true });

  return {
    lag: () => lag,
    async *[Symbol.asyncIterator]() {
      try {
        while (!signal.aborted) {
          const next = waiting.shift();
          if (next === undefined) {
            await wake.promise;
            wake = Promise.withResolvers();
          } else {
            size -= next.octets.length;
            lag = performance.now() - next.arrival;
            yield next.octets;
          }
        }
      } finally {
        await receiver.close();
      }
    },
  };
}

function parseUdpAddress(text: string): { address: string; port: number } {
  const [, address = '', digits = ''] = /^udp:\/\/@?([\d.]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!isIPv4(address) || port < 1 || port > 65_535) {
    throw new OutOfRangeError(`"${text.slice(0, 60)}" is not udp://ADDRESS:PORT with IPv4 and a port of 1 to 65535`);
  }
  return { address, port };
}
