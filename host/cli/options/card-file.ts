import { rename, open, rm } from 'node:fs/promises';
import { TollcastError } from '../../../apdu/errors.ts';
import {
  type CardFile,
  type CardFileKind,
  encodeCardFile,
  MAX_CARD_FILE,
  parseCardFile,
} from '../../contract/card-files/card-file.ts';
import { isDiskFull } from '../../store/sqlite-error.ts';

/** Octets that are looked at to tell whether a file is one of ours. */
const TITLE = 'tollcast ';

/** Reads a file that card and issuer exchange. @throws TollcastError `CARD_FILE`; what the system throws. */
export async function readCardFile(path: string, kind: CardFileKind): Promise<CardFile> {
  return parseCardFile(await readStart(path, MAX_CARD_FILE + 1), kind, path);
}

/**
 * Writes a file that card and issuer exchange. It is whole and on disk when this resolves; an older one of the name is
 * replaced, and nothing else is.
 * @throws TollcastError `CARD_FILE` when something else has that name, or none can be written there.
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
  try {
    await writeWhole(draft, encodeCardFile(file));
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    const advice = isDiskFull(cause) ? 'free some space on its disk' : 'name one in a folder where you may write';
    throw new TollcastError('CARD_FILE', `${path} cannot be written; ${advice}`, { cause });
  }
}

async function writeWhole(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
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
