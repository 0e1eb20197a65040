import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { InputError } from '../../../apdu/errors.ts';

/** What became of a row: its card was given a card id, is made, or could not be made. */
export type BatchState = 'begun' | 'done' | 'failed';

/** A line of the journal. */
export interface BatchEntry {
  /** Row of the batch, from 1. */
  readonly row: number;
  /** Where the card is. */
  readonly address: string;
  /** Card id as people write it; empty before it has one. */
  readonly card: string;
  readonly state: BatchState;
  /** Why it could not be made. */
  readonly code?: string;
  readonly message?: string;
}

const COLUMNS = ['row', 'address', 'card', 'state', 'code', 'message'] as const;
/** Octets. */
const MAX_FILE = 256 * 1024 * 1024;

/** Keeps in a CSV file how far a batch came, so that it goes on there. Each line is on disk before the next step. */
export class BatchJournal implements Disposable {
  readonly #file: number;
  readonly #last = new Map<number, BatchEntry>();

  /**
   * Opens the journal, and makes one where there is none. A last line that was cut off is taken away.
   * @throws InputError when the file is not a journal.
   */
  constructor(path: string) {
    const text = readJournal(path);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    for (const entry of parseJournal(path, whole)) this.#last.set(entry.row, entry);
    this.#file = openSync(path, 'a+', 0o600);
    ftruncateSync(this.#file, Buffer.byteLength(whole));
    if (whole === '') this.#write(stringify([COLUMNS]));
  }

  /** The newest line about a row. */
  last(row: number): BatchEntry | undefined {
    return this.#last.get(row);
  }

  /** It is on disk when this returns. */
  add(entry: BatchEntry): void {
    this.#last.set(entry.row, entry);
    this.#write(stringify([entry], { columns: [...COLUMNS] }));
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #write(line: string): void {
    writeSync(this.#file, line);
    fsyncSync(this.#file);
  }
}

function readJournal(path: string): string {
  if (!existsSync(path)) return '';
  if (statSync(path).size > MAX_FILE) throw notJournal(path);
  return readFileSync(path, 'utf8');
}

function parseJournal(path: string, text: string): BatchEntry[] {
  if (text === '') return [];
  let rows: string[][];
  try {
    rows = parse(text);
  } catch (cause) {
    throw notJournal(path, cause);
  }
  if (rows[0]?.join() !== COLUMNS.join()) throw notJournal(path);
  return rows.slice(1).map(([row, address = '', card = '', state = '', code = '', message = '']) => {
    if (!/^\d{1,9}$/.test(row ?? '') || !isState(state)) throw notJournal(path);
    return { row: Number(row), address, card, state, ...(code !== '' && { code, message }) };
  });
}

function isState(text: string): text is BatchState {
  return text === 'begun' || text === 'done' || text === 'failed';
}

function notJournal(path: string, cause?: unknown): InputError {
  return new InputError(`${path} does not hold the results of a batch; name another file with --results`, { cause });
}
