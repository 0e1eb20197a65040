import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** Characters of the digest that name a card; a path of a Unix socket has room for 107 octets. */
const NAME_LENGTH = 24;

/** A socket on which a program of this user lends a card. */
export interface LendingSocket {
  readonly path: string;
  /** Id of the process that made it. */
  readonly process: number;
}

/**
 * Makes the folder of the sockets on which this user's programs lend cards, unless it is there: private, in the folder
 * that the system has for such things, or beside the temporary files.
 * @returns nothing where it cannot be made or is not this user's alone; then nothing is lent.
 */
export function makeLendingFolder(): string | undefined {
  const folder = nameLendingFolder();
  if (folder === undefined) return undefined;
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there already, or cannot be made: the look at it tells.
  }
  return findLendingFolder();
}

/** Removes the folder when nothing is in it. */
export function removeLendingFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Another program lends a card.
  }
}

/** @returns the folder; nothing where it is not there or not this user's alone. */
export function findLendingFolder(): string | undefined {
  const folder = nameLendingFolder();
  if (folder === undefined) return undefined;
  // Another user may have made it first, with what suits them inside.
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  const isOurs = stat?.isDirectory() === true && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0;
  return isOurs ? folder : undefined;
}

function nameLendingFolder(): string | undefined {
  // Windows has neither Unix sockets with rights nor user ids.
  const user = process.getuid?.();
  if (user === undefined) return undefined;
  const runtime = process.env['XDG_RUNTIME_DIR'];
  const isNamed = runtime !== undefined && runtime !== '';
  return isNamed ? join(runtime, 'tollcast') : join(tmpdir(), `tollcast-${user}`);
}

/** Path of the socket on which this process lends the card at a place. */
export function socketOf(folder: string, place: string): string {
  return join(folder, `${nameOf(place)}-${process.pid}.sock`);
}

/** The sockets on which the card at a place is lent, and those that a process has left behind. */
export function findSockets(folder: string, place: string): LendingSocket[] {
  const name = nameOf(place);
  const sockets: LendingSocket[] = [];
  for (const entry of readEntries(folder)) {
    const [, card, digits] = /^([0-9a-f]+)-(\d+)\.sock$/.exec(entry) ?? [];
    if (card !== name) continue;
    sockets.push({ path: join(folder, entry), process: Number(digits) });
  }
  return sockets;
}

function readEntries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // the last program that lent a card has just removed it
  }
}

/** Removes a socket that nobody answers on, unless its process runs and may be about to. */
export function removeLeftSocket({ path, process: id }: LendingSocket): void {
  if (!isRunning(id)) rmSync(path, { force: true });
}

function nameOf(place: string): string {
  return createHash('sha256').update(place).digest('hex').slice(0, NAME_LENGTH);
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
