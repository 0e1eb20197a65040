import { readFileSync } from 'node:fs';
import { type Options, read } from 'read';

/** Asks for something that is not shown. @returns undefined where there is no terminal, or after Ctrl-C or Ctrl-D. */
export async function askHidden(prompt: string): Promise<string | undefined> {
  const typed = await ask({ prompt, silent: true });
  if (typed !== undefined) process.stderr.write('\n');
  return typed;
}

/** Asks a question. @returns whether the answer was yes; false where there is no terminal. */
export async function confirm(question: string): Promise<boolean> {
  const answer = await ask({ prompt: `${question} [y/N]` });
  return /^y(es)?$/i.test(answer?.trim() ?? '');
}

/**
 * Whether there is somebody to ask. The prompt goes to standard error; where that is not a terminal, what is typed would
 * be shown. What runs in the background of a terminal is stopped when it reads.
 */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY && isInForeground();
}

/** proc(5): after the name in parentheses come state, parent, group, session, terminal and its foreground group. */
function isInForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return group === foreground;
  } catch {
    return true;
  }
}

async function ask(options: Pick<Options, 'prompt' | 'silent'>): Promise<string | undefined> {
  if (!canAsk()) return undefined;
  // After Ctrl-D the library lets go of the input, and its promise stays pending.
  const { promise: ended, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => void setImmediate(() => resolve(undefined));
  process.stdin.once('pause', end);
  try {
    return await Promise.race([read({ ...options, output: process.stderr }), ended]);
  } catch {
    return undefined;
  } finally {
    process.stdin.off('pause', end);
  }
}
