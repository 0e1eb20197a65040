import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { TollcastError } from '../../../../apdu/errors.ts';
import type { FileDescription } from '../../../stream/file/file-description.ts';
import { type MediaSource, makeSourceError } from '../media-source.ts';

/** A file that is sent again and again. */
export interface FileCarousel {
  readonly file: FileDescription;
  readonly media: MediaSource;
}

/** Octets read at a time. */
const CHUNK = 1316 * 200;

/**
 * Opens a file to be sent in passes, and describes it.
 * @param pieceLength octets of a piece.
 * @param passes how often it is sent; until the signal aborts when left out.
 * @throws TransportError `SOURCE` when it cannot be read; TollcastError `EMPTY_SOURCE`.
 */
export async function openFileCarousel(
  path: string,
  { pieceLength, passes = Infinity }: { readonly pieceLength: number; readonly passes?: number | undefined },
  signal: AbortSignal,
): Promise<FileCarousel> {
  try {
    const opened = await open(path, 'r');
    if (!(await opened.stat()).isFile()) throw new Error('it is not a file');
    const { length, digest } = await readOnce(opened, signal);
    if (length === 0) throw new TollcastError('EMPTY_SOURCE', `${path} is empty; name another --file`);
    const file = { name: basename(path), length, digest, pieceLength };
    return { file, media: readAgain(path, opened, file, passes, signal) };
  } catch (cause) {
    if (cause instanceof TollcastError) throw cause;
    throw makeSourceError(path, cause, 'name a file that is there');
  }
}

async function readOnce(file: FileHandle, signal: AbortSignal): Promise<{ length: number; digest: Uint8Array }> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const octets of readChunks(file, signal)) {
    hash.update(octets);
    length += octets.length;
  }
  return { length, digest: new Uint8Array(hash.digest()) };
}

/** A file that is changed while it is sent has no digest that a receiver could check. */
async function* readAgain(
  path: string,
  file: FileHandle,
  { length, digest }: FileDescription,
  passes: number,
  signal: AbortSignal,
): MediaSource {
  try {
    for (let pass = 0; pass < passes && !signal.aborted; pass++) {
      const hash = createHash('sha256');
      let read = 0;
      for await (const octets of readChunks(file, signal)) {
        hash.update(octets);
        read += octets.length;
        if (read > length) break;
        yield { octets };
      }
      if (signal.aborted) return;
      if (read !== length || !hash.digest().equals(digest)) {
        throw new Error('it has changed since it was described');
      }
    }
  } catch (cause) {
    if (!signal.aborted) throw makeSourceError(path, cause, 'send it anew, under another name while it changes');
  } finally {
    await file.close();
  }
}

async function* readChunks(file: FileHandle, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; !signal.aborted;) {
    const chunk = new Uint8Array(CHUNK);
    const { bytesRead } = await file.read(chunk, 0, CHUNK, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}
