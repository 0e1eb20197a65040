import { rename, open, rm } from 'node:fs/promises';
import { TollcastError } from '../../../apdu/errors.ts';
import {
  type CardFile,
  type CardFileKind,
  encodeCardFile,
  MAX_CARD_FILE,
  parseCardFile,
} from '../../contract/card-files/card-file.ts';

/** Octets that are looked at to tell whether a file is one of ours. */
const TITLE = 'tollcast ';

/** Reads a file that card and issuer exchange. @throws TollcastError `CARD_FILE`; what the system throws. */
export async function readCardFile(path: string, kind: CardFileKind): Promise<CardFile> {
  return parseCardFile(await readStart(path, MAX_CARD_FILE + 1), kind, path);
}

/**
 * Writes a file that card and issuer exchange. It is whole and on disk when this resolves; an older one of the name is
 * replaced, and nothing else is.
 * @throws TollcastError `CARD_FILE` when something else has that name.
 */
export async function writeCardFile(path: string, file: CardFile): Promise<void> {
  const present = await readStart(path, TITLE.length).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (present !== undefined && present !== TITLE) {
    throw new TollcastError('CARD_FILE', `${path} is there and holds something else; name another file`);
  }
  const draft = `${path}.${process.pid}.new`;
  const opened = await open(draft, 'wx', 0o600);
  try {
    await opened.writeFile(encodeCardFile(file));
    await opened.sync();
  } catch (cause) {
    await rm(draft, { force: true });
    throw cause;
  } finally {
    await opened.close();
  }
  await rename(draft, path);
}

async function readStart(path: string, length: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const start = Buffer.alloc(length);
    const { bytesRead } = await file.read(start, 0, length, 0);
    return start.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
