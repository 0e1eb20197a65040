import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { moduleTracePolicy } from '../../../apdu/decode-module/trace-policy.ts';
import { InputError } from '../../../apdu/errors.ts';
import { fromHex } from '../../../apdu/octets.ts';

export const MAX_HISTORY = 500;
const MAX_FILE_OCTETS = 200_000;

/** What was typed earlier, in a file that its owner alone can read. */
export class ShellHistory {
  readonly #path: string;
  /** The newest first, as readline has it. */
  #lines: string[];

  constructor() {
    const state = process.env['XDG_STATE_HOME'];
    const folder = state === undefined || state === '' ? join(homedir(), '.local', 'state') : state;
    this.#path = join(folder, 'tollcast', 'shell-history');
    this.#lines = this.#read();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Keeps a line, unless it holds a PIN or a key. Where it cannot be written it is kept for this run alone. */
  add(line: string): void {
    if (line.trim() === '' || holdsSecret(line)) return;
    this.#lines = [line, ...this.#lines.filter((other) => other !== line)].slice(0, MAX_HISTORY);
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      writeFileSync(this.#path, `${this.#lines.toReversed().join('\n')}\n`, { mode: 0o600 });
      chmodSync(this.#path, 0o600);
    } catch {
      // A history is a convenience.
    }
  }

  #read(): string[] {
    try {
      const stat = lstatSync(this.#path);
      if (!stat.isFile() || stat.size > MAX_FILE_OCTETS) return [];
      return readFileSync(this.#path, 'utf8').split('\n').filter(Boolean).toReversed().slice(0, MAX_HISTORY);
    } catch {
      return [];
    }
  }
}

/** Whether a line is a command to the card of which no trace shows the data: a PIN, or what personalises it. */
function holdsSecret(line: string): boolean {
  try {
    return moduleTracePolicy(fromHex(line.replace(/^\s*apdu\b/, ''))).command === 0;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}
