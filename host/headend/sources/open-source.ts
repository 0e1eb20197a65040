import { fstat } from 'node:fs';
import { open } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { TransportError } from '../../../apdu/errors.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { type MediaChunk, type MediaSource, makeSourceError } from './media-source.ts';
import { readPipe } from './pipe-source.ts';
import { openUdpSource } from './udp-source.ts';

const STDIN = 0;
const SYNTAX = 'a file that is there, - for standard input, udp://ADDRESS:PORT or rtp://ADDRESS:PORT';
/** Octets read at a time. */
const CHUNK = 1316 * 200;

/**
 * Opens a source.
 * @param text a file, `-` for standard input, `udp://ADDRESS:PORT` or `rtp://ADDRESS:PORT`.
 * @param networkInterface IPv4 address of the interface that multicast comes by.
 * @param signal ends the source when it aborts: a file at once, the others when what has come was given.
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
    return streamSource('standard input', process.stdin, isFile, signal, clock);
  }
  if (/^(udp|rtp):\/\//.test(text)) return openUdpSource(text, networkInterface, signal, clock);
  const [, scheme] = /^(\w+):\/\//.exec(text) ?? [];
  if (scheme !== undefined) {
    const how = `ffmpeg -i ${text} -c copy -f mpegts - | tollcast headend send --source -`;
    throw new TransportError('SOURCE', `nothing is read by ${scheme}; pipe it in, as in: ${how}`);
  }
  try {
    const file = await open(text, 'r');
    const stat = await file.stat();
    if (stat.isDirectory()) {
      await file.close();
      throw new Error('it is a folder');
    }
    return streamSource(text, file.createReadStream({ highWaterMark: CHUNK }), stat.isFile(), signal, clock);
  } catch (error) {
    throw makeSourceError(text, error, `name ${SYNTAX}`);
  }
}

function streamSource(name: string, stream: Readable, isFile: boolean, signal: AbortSignal, clock: Clock): MediaSource {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* isFile ? readFile(stream, signal) : readPipe(stream, signal, clock);
      } catch (error) {
        if (!signal.aborted) throw makeSourceError(name, error, 'check it and start again');
      }
    },
  };
}

async function* readFile(stream: Readable, signal: AbortSignal): AsyncGenerator<MediaChunk> {
  addAbortSignal(signal, stream);
  for await (const octets of stream as AsyncIterable<Uint8Array>) yield { octets };
}
