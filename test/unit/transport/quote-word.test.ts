import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { quoteWord } from '../../../host/transport/card/quote-word.ts';

test('a word that needs no quotes gets none', () => {
  expect(quoteWord('soft:./my.card')).toBe('soft:./my.card');
  expect(quoteWord('pcsc:ACS ACR39U 00 00')).toBe("'pcsc:ACS ACR39U 00 00'");
});

test.each(['a b', "it's", '$HOME', '`id`', '"x"', '\\', '*', ''])('a shell reads %j back as it was', (word) => {
  expect(execFileSync('sh', ['-c', `printf %s ${quoteWord(word)}`], { encoding: 'utf8' })).toBe(word);
});
