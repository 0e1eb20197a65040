import type { Readable } from 'node:stream';
import type { Clock } from '../../clock/clock.ts';
import type { MediaChunk } from './media-source.ts';

/** Octets that are read ahead. */
const MAX_AHEAD = 0x40000;
/** ms for which what was written just before a stop may still come. */
const LAST_OCTETS = 20;

/**
 * Reads a pipe, with the times at which its octets came.
 * @param signal ends it when it aborts, after what has come was given.
 */
export async function* readPipe(stream: Readable, signal: AbortSignal, clock: Clock): AsyncGenerator<MediaChunk> {
  const waiting: MediaChunk[] = [];
  let ahead = 0;
  let wake = Promise.withResolvers<void>();
  let failure: Error | undefined;
  let isOver = false;
  const notify = () => wake.resolve();
  const take = (octets: Uint8Array) => {
    waiting.push({ octets, arrival: clock.monotonic() });
    ahead += octets.length;
    if (ahead > MAX_AHEAD) stream.pause();
    notify();
  };
  const end = () => {
    isOver = true;
    notify();
  };
  // What comes after a stop is not waited for: a device never ends.
  const stop = () =>
    void clock.sleep(LAST_OCTETS).then(() => {
      stream.pause();
      end();
    });
  stream.on('data', take).on('end', end).on('close', end);
  stream.on('error', (error) => {
    failure = error;
    end();
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    for (;;) {
      const next = waiting.shift();
      if (next !== undefined) {
        ahead -= next.octets.length;
        if (!isOver && ahead <= MAX_AHEAD && stream.isPaused()) stream.resume();
        yield next;
      } else if (isOver) {
        if (failure !== undefined) throw failure;
        return;
      } else {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stream.off('data', take).off('end', end).off('close', end).destroy();
  }
}
