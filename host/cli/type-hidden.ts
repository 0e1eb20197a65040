import { read } from 'read';

/** Has something typed that is not shown. @returns undefined where there is no terminal, and when it was broken off. */
export async function typeHidden(prompt: string): Promise<string | undefined> {
  // Where the prompt is no terminal, nothing would keep the terminal from echoing what is typed.
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  try {
    const typed = await read({ prompt, silent: true, output: process.stderr });
    process.stderr.write('\n');
    return typed;
  } catch {
    return undefined;
  }
}
