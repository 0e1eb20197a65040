import { isIPv4 } from 'node:net';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { concat } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import { openUdpReceiver } from '../../transport/network/udp-receiver.ts';
import type { MediaSource } from './media-source.ts';
import { WaitingOctets } from './waiting-octets.ts';

/**
 * Receives octets by UDP, a transport stream as a rule.
 * @throws OutOfRangeError when the address is not one.
 * @throws TransportError `PORT_TAKEN`, `ADDRESS_UNREACHABLE`.
 */
export async function openUdpSource(
  text: string,
  networkInterface: string,
  signal: AbortSignal,
  clock: Clock,
): Promise<MediaSource> {
  const waiting = new WaitingOctets();
  let wake = Promise.withResolvers<void>();
  const receiver = await openUdpReceiver({
    ...parseUdpAddress(text),
    interface: networkInterface,
    // The datagrams of a source may be longer than those of a service.
    coalesce: false,
    onDatagrams(datagrams) {
      if (waiting.add(concat(...datagrams), clock.monotonic())) wake.resolve();
    },
  });
  signal.addEventListener('abort', () => wake.resolve(), { once: true });

  return {
    async *[Symbol.asyncIterator]() {
      try {
        while (!signal.aborted) {
          const next = waiting.take();
          if (next === undefined) {
            await wake.promise;
            wake = Promise.withResolvers();
          } else {
            yield next;
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
