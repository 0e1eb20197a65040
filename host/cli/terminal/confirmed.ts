import { ask } from './ask.ts';

/** Asks on the terminal. @returns whether the answer was yes; not where there is no terminal. */
export async function confirmed(question: string): Promise<boolean> {
  const answer = await ask({ prompt: `${question} [y/N]` });
  return /^y(es)?$/i.test(answer?.trim() ?? '');
}
