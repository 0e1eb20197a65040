import { ask } from './ask.ts';

/** Has something typed that is not shown. @returns undefined where there is no terminal, and when it was broken off. */
export async function typeHidden(prompt: string): Promise<string | undefined> {
  const typed = await ask({ prompt, silent: true });
  if (typed !== undefined) process.stderr.write('\n');
  return typed;
}
