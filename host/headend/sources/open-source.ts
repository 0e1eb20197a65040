import { fstat } from 'node:fs';
import { open } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { type MediaSource, makeSourceError } from './media-source.ts';
import { openUdpSource } from './udp-source.ts';

const STDIN = 0;
/** Octets read at a time. */
const CHUNK = 1316 * 200;

/**
 * Opens a source.
 * @param text a file, `-` for standard input, or `udp://ADDRESS:PORT`.
 * @param networkInterface IPv4 address of the interface that multicast comes by.
 * @param signal ends the source when it aborts.
 * @param clock gives what is not a file its times of arrival.
 * @throws OutOfRangeError when a UDP address is not one.
 * @throws TransportError `SOURCE` when it cannot be opened.
 */
export async function openSource(
  text: string,
  networkInterface: string,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<MediaSource> {
  if (text === '-') {
    const isFile = (await promisify(fstat)(STDIN)).isFile();
    return streamSource('standard input', process.stdin, signal, isFile ? undefined : clock);
  }
  if (text.startsWith('udp://')) return openUdpSource(text, networkInterface, signal, clock);
  try {
    const file = await open(text, 'r');
    const isFile = (await file.stat()).isFile();
    return streamSource(text, file.createReadStream({ highWaterMark: CHUNK }), signal, isFile ? undefined : clock);
  } catch (error) {
    throw makeSourceError(text, error, 'name a file that is there, - for standard input, or udp://ADDRESS:PORT');
  }
}

function streamSource(name: string, stream: Readable, signal: AbortSignal, clock: Clock | undefined): MediaSource {
  addAbortSignal(signal, stream);
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for await (const chunk of stream as AsyncIterable<Uint8Array>) {
          yield { octets: chunk, arrival: clock?.monotonic() };
        }
      } catch (error) {
        if (!signal.aborted) throw makeSourceError(name, error, 'check it and start again');
      }
    },
  };
}
