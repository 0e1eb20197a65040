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

async function ask(options: Pick<Options, 'prompt' | 'silent'>): Promise<string | undefined> {
  // The prompt goes to standard error. Where that is not a terminal, what is typed would be shown.
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  // When the input ends, the promise of the library stays pending and nothing is left to wait for.
  const { promise: ended, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  process.once('beforeExit', end);
  try {
    return await Promise.race([read({ ...options, output: process.stderr }), ended]);
  } catch {
    return undefined;
  } finally {
    process.off('beforeExit', end);
  }
}
