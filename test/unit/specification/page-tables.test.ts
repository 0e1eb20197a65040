import { describe, expect, it } from 'vitest';
import { readPage } from '../../support/page-tables.ts';

const FIELDS = `Text before.

| at | thing, 6 octets | |
|---|---|---|
| 0 | kind u8 | \`42\` |
| 1 | reserved 1 | |
| 2 | key id u32 | |

| kind | name | message |
|---|---|---|
| \`42\` | THING | a thing |
`;

describe('the tables of the page', () => {
  it('are read as fields and as codes', () => {
    const page = readPage(FIELDS);
    expect(page.messages).toEqual(['thing']);
    expect(page.fieldTable('thing')).toEqual({
      length: 6,
      fields: [
        { name: 'kind', at: 0, size: 1, type: 'u8' },
        { name: 'reserved', at: 1, size: 1, type: 'octets' },
        { name: 'key id', at: 2, size: 4, type: 'u32' },
      ],
    });
    expect(page.kinds()).toEqual([{ name: 'THING', code: 0x42 }]);
  });

  it.each([
    ['a gap', FIELDS.replace('| 2 | key id', '| 3 | key id'), 'the page has key id at 3, where octet 2 comes next'],
    ['another length', FIELDS.replace('6 octets', '7 octets'), 'the page has fields of 6 octets, and says 7'],
    ['a field without a size', FIELDS.replace('key id u32', 'key id'), 'does not end with what the field is'],
    ['an offset that is not a number', FIELDS.replace('| 2 | key id', '| two | key id'), 'is not a number of base 10'],
  ])('are refused with %s', (_, text, message) => {
    expect(() => readPage(text)).toThrow(message);
  });

  it('are refused when a table is missing or there twice', () => {
    expect(() => readPage('').kinds()).toThrow('the page has 0 tables "kind | name"');
    expect(() => readPage(FIELDS + '\n' + FIELDS.split('\n').slice(8).join('\n')).kinds()).toThrow('2 tables');
    expect(() => readPage(FIELDS).fieldTable('other')).toThrow('no table of fields for "other"');
    expect(() => readPage(FIELDS.replaceAll('42', '4g')).kinds()).toThrow('is not a number of base 16');
  });
});
