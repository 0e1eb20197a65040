import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { ERROR_CODES, EXIT_MEANINGS, EXIT_STATUS, exitStatusOf, isErrorCode } from '../../../apdu/error-codes.ts';
import { CardGoneError, TollcastError } from '../../../apdu/errors.ts';
import { StatusWordError } from '../../../apdu/iso7816/status-word.ts';

const ROOT = join(import.meta.dirname, '../../..');

test('every kind of failure has an exit status of its own, none of them success', () => {
  const statuses = Object.values(EXIT_STATUS);
  expect(new Set(statuses).size).toBe(statuses.length);
  expect(statuses).not.toContain(0);
});

test('the README has the table of exit statuses', () => {
  expect(Object.values(EXIT_STATUS)).toEqual(EXIT_MEANINGS.keys().drop(1).toArray());
  const rows = EXIT_MEANINGS.map((meaning, status) => `| ${status} | ${meaning} |\n`).join('');
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  expect(readme).toContain(`| exit status | meaning |\n|---|---|\n${rows}\n`);
});

test('every code in the catalogue is used by some part', async () => {
  // A code that is only compared with is thrown by nobody.
  let sources = '';
  for await (const path of glob('{apdu,card-sim,host,scripts}/**/*.ts', { cwd: ROOT })) {
    if (path !== 'apdu/error-codes.ts') sources += readFileSync(join(ROOT, path), 'utf8');
  }
  sources = sources.replaceAll(/[!=]== '[A-Z_0-9]+'/g, '');
  const unused = Object.keys(ERROR_CODES).filter((code) => !(code in STATUS) && !sources.includes(`'${code}'`));
  expect(unused).toEqual([]);
});

test('every status word of the decode module stands in the catalogue with its number', () => {
  for (const [name, status] of Object.entries(STATUS)) {
    if (name === 'DONE' || name === 'MORE') continue;
    const hex = status.toString(16).toUpperCase();
    expect(ERROR_CODES[name]?.meaning, name).toMatch(new RegExp(`^${hex}: `));
  }
});

test('a status word of another application ends with the status of a refusal, a PIN with its own', () => {
  expect(new StatusWordError(0x6a82, 'SELECT').exitStatus).toBe(EXIT_STATUS.refused);
  expect(new StatusWordError(0x63c2, 'VERIFY').exitStatus).toBe(EXIT_STATUS.pin);
  expect(new StatusWordError(0x6983, 'VERIFY').exitStatus).toBe(EXIT_STATUS.pin);
  expect(new CardGoneError().exitStatus).toBe(EXIT_STATUS.connection);
  expect(exitStatusOf('FORMAT')).toBe(EXIT_STATUS.failure);
});

test('a code that the catalogue lacks does not compile', () => {
  // @ts-expect-error -- The compiler finds it.
  expect(new TollcastError('NO_SUCH_CODE', 'made up').code).toBe('NO_SUCH_CODE');
});

test('a text is a code only when the catalogue has it or it names a status word', () => {
  expect(isErrorCode('PCSC_NO_CARD')).toBe(true);
  expect(isErrorCode('SW_6A82')).toBe(true);
  for (const text of ['', 'pcsc_no_card', 'NO_SUCH_CODE', 'SW_6A8', 'toString']) expect(isErrorCode(text)).toBe(false);
});
