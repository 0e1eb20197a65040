import { InputError } from '../../../apdu/errors.ts';

/** Where a head-end of this machine listens unless its configuration says otherwise. */
const DEFAULT_HEAD_END = new URL('https://127.0.0.1:8443');

/** The option of every command that asks a head-end what it offers, for `Command.option`. */
export const HEAD_END_OPTION = [
  '--head-end <url>',
  'the head-end that offers channels, as in https://tv.example:8443',
  parseHeadEnd,
  DEFAULT_HEAD_END,
] as const;

function parseHeadEnd(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && url.protocol === 'https:' && url.hostname !== '') return url;
  throw new InputError(
    `"${text.slice(0, 80)}" is not the address of a head-end; write it as in https://tv.example:8443`,
  );
}
