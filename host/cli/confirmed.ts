import { read } from 'read';

/** Asks on the terminal. @returns whether the answer was yes; not where there is no terminal. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  try {
    return /^y(es)?$/i.test((await read({ prompt: `${question} [y/N]`, output: process.stderr })).trim());
  } catch {
    return false;
  }
}
