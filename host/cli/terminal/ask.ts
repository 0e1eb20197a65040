import { type Options, read } from 'read';

/** Asks on the terminal, on standard error. @returns undefined where there is no terminal, and when it was broken off by Ctrl-C or Ctrl-D. */
export async function ask(options: Pick<Options, 'prompt' | 'silent'>): Promise<string | undefined> {
  // Where the prompt is no terminal, nothing would keep the terminal from echoing what is typed.
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  // At the end of the input the library's promise stays as it is: nothing is left to wait for then.
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
