import { sep } from 'node:path';
import { quoteWord } from '../../transport/card/quote-word.ts';

/** What the script of a checkout says it was called by. */
const VARIABLE = 'TOLLCAST_COMMAND';
const GROUPS = 'attack|bill|billing|card|channels|headend|issuer|watch';

/** How the user called this program: by the script of a checkout, by npx, or as an installed command. */
export function readCommandName(): string {
  const script = process.env[VARIABLE];
  if (script !== undefined && script !== '') return quoteWord(script);
  return process.argv[1]?.includes(`${sep}node_modules${sep}.bin${sep}`) === true ? 'npx tollcast' : 'tollcast';
}

/** Puts the command into a text as the user can type it: texts call it `tollcast`. */
export function writeAsTyped(text: string, name = readCommandName()): string {
  return text.replaceAll(new RegExp(`(?<![\\w./-])tollcast(?= (?:${GROUPS})\\b)`, 'g'), () => name);
}
