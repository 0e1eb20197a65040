import type { MediaSource } from './media-source.ts';

/**
 * A file that begins anew at its end. Its clock jumps back there, which the packers know.
 * @param open gives the source from its start.
 */
export function repeatSource(open: () => Promise<MediaSource>, signal: AbortSignal): MediaSource {
  return {
    async *[Symbol.asyncIterator]() {
      let isEmpty = false;
      while (!isEmpty && !signal.aborted) {
        isEmpty = true;
        for await (const chunk of await open()) {
          yield chunk;
          isEmpty = false;
        }
      }
    },
  };
}
