import { createInterface } from 'node:readline/promises';
import { MAX_HISTORY, type ShellHistory } from './shell-history.ts';

const PROMPT = 'card> ';
/** The longest command to a card, in hexadecimal with spaces, is about as long. */
const MAX_LINE = 200_000;

/**
 * Reads what is typed, line by line, until the end of the input.
 * @param words that the Tab key completes.
 */
export function readLines(history: ShellHistory, words: readonly string[]): AsyncIterable<string> {
  return process.stdin.isTTY && process.stdout.isTTY ? readTyped(history, words) : readPiped();
}

async function* readPiped(): AsyncGenerator<string> {
  for await (const line of createInterface({ input: process.stdin, terminal: false })) yield line.slice(0, MAX_LINE);
}

/** Opens the terminal anew for each line: between two of them a PIN may be asked for, which is not to be shown. */
async function* readTyped(history: ShellHistory, words: readonly string[]): AsyncGenerator<string> {
  for (;;) {
    const line = await readTypedLine(history, words);
    if (line === undefined) return;
    history.add(line);
    yield line;
  }
}

/** @returns nothing after Ctrl-D, an empty line after Ctrl-C. */
async function readTypedLine(history: ShellHistory, words: readonly string[]): Promise<string | undefined> {
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: [...history.lines],
    historySize: MAX_HISTORY,
    completer: (start: string): [string[], string] => [words.filter((word) => word.startsWith(start)), start],
  });
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  terminal.on('close', () => resolve(undefined));
  terminal.on('SIGINT', () => {
    process.stdout.write('^C\n');
    resolve('');
  });
  terminal.question(PROMPT).then(resolve, () => resolve(undefined));
  const line = await promise;
  terminal.close();
  if (line === undefined) process.stdout.write('\n');
  return line?.slice(0, MAX_LINE);
}
