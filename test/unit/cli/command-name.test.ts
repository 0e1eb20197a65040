import { expect, test } from 'vitest';
import { writeAsTyped } from '../../../host/cli/terminal/command-name.ts';

test.each([
  ['type: tollcast issuer init', 'type: npx tollcast issuer init'],
  ['tollcast card info, or tollcast watch --yes', 'npx tollcast card info, or npx tollcast watch --yes'],
  ['see: tollcast channels', 'see: npx tollcast channels'],
  ['tollcast billing report, and tollcast bill', 'npx tollcast billing report, and npx tollcast bill'],
  ['.tollcast/issuer is not tollcast', '.tollcast/issuer is not tollcast'],
  ['npx tollcast', 'npx tollcast'],
])('a command is written as it can be typed: %s', (text, typed) => {
  expect(writeAsTyped(text, 'npx tollcast')).toBe(typed);
});

test('a name of any letters is put in as it is', () => {
  expect(writeAsTyped('tollcast card list', "'/tmp/$& x/tollcast'")).toBe("'/tmp/$& x/tollcast' card list");
});
