import { readFileSync } from 'node:fs';

/**
 * The tables of `firmware-notes/protocol.md`, for tests that hold a program to the page.
 *
 * ```ts
 * const page = readPage();
 * page.statusWords(); // [{ name: 'DONE', code: 0x9000 }, ...]
 * page.fieldTable('confirm'); // { length: 48, fields: [{ name: 'kind', at: 0, size: 1, type: 'u8' }, ...] }
 * ```
 *
 * A table of codes has a column `name`, or `command` for instructions. A table of fields has a header such as
 * `at | confirm, 48 octets`; a row says where a field stands, its name and what it is: `16 | key id u32`. Names are in
 * the page's words; {@link inCamelCase} makes those of TypeScript, {@link inConstantCase} those of Java.
 */
export interface Page {
  /** Section 2.2. `61xx` and `63Cx` count as 6100 and 63C0. */
  statusWords(): readonly Code[];
  /** Section 1.3. */
  kinds(): readonly Code[];
  /** Section 2. A command that has two rows is here once. */
  instructions(): readonly Code[];
  /** Section 2. */
  lifeStates(): readonly Code[];
  /** Bit numbers of section 2.1. */
  capabilities(): readonly Code[];
  /** Section 4.3. */
  tariffs(): readonly Code[];
  /** DGIs of section 3. */
  dgis(): readonly Code[];
  /** Objects of GET DATA, section 2.3. */
  dataObjects(): readonly Code[];
  /** Tags of the SELECT answer, section 2.1; `size` counts the octets of the value. */
  selectAnswer(): readonly (Code & { readonly size: number })[];
  /** @param message as the header of its table calls it. @throws Error when the page has no such table. */
  fieldTable(message: string): FieldTable;
  /** What the headers of all tables of fields call their messages. */
  readonly messages: readonly string[];
}

export interface Code {
  /** In constant case: GET_RESPONSE. */
  readonly name: string;
  readonly code: number;
}

export interface FieldTable {
  readonly length: number;
  readonly fields: readonly PageField[];
}

export interface PageField {
  /** As the page writes it: `key id`. Reserved octets are called `reserved`. */
  readonly name: string;
  readonly at: number;
  /** In octets. */
  readonly size: number;
  /** `u8` to `u64`, or `octets`. */
  readonly type: string;
}

interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const PAGE = new URL('../../firmware-notes/protocol.md', import.meta.url);

/** @param text of the page; a test of this file brings its own. */
export function readPage(text: string = readFileSync(PAGE, 'utf8')): Page {
  const tables = findTables(text);
  const messages = new Map(tables.flatMap(fieldTablesOf));
  const codes = (first: string, second: string, radix = 16) => codesOf(tables, first, second, radix);
  return {
    statusWords: () => codes('SW', 'name'),
    kinds: () => codes('kind', 'name'),
    instructions: () => codes('INS', 'command'),
    lifeStates: () => codes('life', 'name'),
    capabilities: () => codes('bit', 'name', 10),
    tariffs: () => codes('tariff', 'name', 10),
    dgis: () => codes('DGI', 'name'),
    dataObjects: () => codes('P1 P2', 'name'),
    selectAnswer: () =>
      rowsOf(tables, 'tag', 'SELECT answer').map(([tag = '', cell = '']) => {
        const { name, size } = nameAndType(cell);
        return { name, code: numberOf(tag, 16), size };
      }),
    fieldTable(message) {
      const table = messages.get(message);
      if (table === undefined) throw new Error(`the page has no table of fields for "${message}"`);
      return table;
    },
    messages: [...messages.keys()],
  };
}

/** `key id` is `keyId`, `SSRC` is `ssrc`, `load-in` is `loadIn`, `SUITE_1` is `suite1`. */
export function inCamelCase(name: string): string {
  return wordsOf(name)
    .map((word, index) => (index === 0 ? word : word[0]!.toUpperCase() + word.slice(1)))
    .join('');
}

/** `key id` is `KEY_ID`. */
export function inConstantCase(name: string): string {
  return wordsOf(name).join('_').toUpperCase();
}

function wordsOf(name: string): string[] {
  return name.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

function findTables(text: string): Table[] {
  return text
    .split('\n\n')
    .map((block) => block.trim().split('\n'))
    .filter((lines) => lines.length > 2 && /^\|[-|]+\|$/.test(lines[1]!))
    .map(([header, , ...rows]) => ({ header: cellsOf(header!), rows: rows.map(cellsOf) }));
}

/** The cells of a row, without the back quotes around codes. */
function cellsOf(row: string): string[] {
  if (!row.startsWith('|') || !row.endsWith('|')) throw new Error(`this is not a row of a table: ${row}`);
  return row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1'));
}

function rowsOf(tables: readonly Table[], first: string, second: string): Table['rows'] {
  const found = tables.filter(({ header }) => header[0] === first && header[1] === second);
  if (found.length !== 1)
    throw new Error(`the page has ${found.length} tables "${first} | ${second}"; it must have one`);
  return found[0]!.rows;
}

function codesOf(tables: readonly Table[], first: string, second: string, radix: number): Code[] {
  const codes = new Map<string, Code>();
  for (const [code = '', cell = ''] of rowsOf(tables, first, second)) {
    // A command's cell goes on with what it needs, or which of two it is.
    const name = inConstantCase(cell.split(/[,;]/)[0]!);
    codes.set(name, { name, code: numberOf(code.replaceAll('x', '0'), radix) });
  }
  return [...codes.values()];
}

/** The table as one of fields; nothing when it is another. */
function fieldTablesOf({ header: [first = '', title = ''], rows }: Table): [string, FieldTable][] {
  const [, message, octets] = /^(.+), (\d+) octets$/.exec(title) ?? [];
  if (first !== 'at' || message === undefined) return [];
  const fields = rows.map(([at = '', cell = '']) => ({ ...nameAndType(cell), at: numberOf(at, 10) }));
  const length = Number(octets);
  let end = 0;
  for (const { name, at, size } of fields) {
    if (at !== end) throw new Error(`${message}: the page has ${name} at ${at}, where octet ${end} comes next`);
    end = at + size;
  }
  if (end !== length) throw new Error(`${message}: the page has fields of ${end} octets, and says ${length}`);
  return [[message, { length, fields }]];
}

function nameAndType(cell: string): { name: string; size: number; type: string } {
  const [, name, bits, octets] = /^(.+) (?:u(8|16|24|32|48|64)|(\d+))$/.exec(cell) ?? [];
  if (name === undefined) throw new Error(`"${cell}" does not end with what the field is, such as u32 or 16`);
  if (bits === undefined) return { name, size: Number(octets), type: 'octets' };
  return { name, size: Number(bits) / 8, type: `u${bits}` };
}

function numberOf(text: string, radix: number): number {
  const number = Number.parseInt(text, radix);
  if (text !== number.toString(radix).padStart(text.length, '0').toUpperCase()) {
    throw new Error(`"${text}" is not a number of base ${radix}`);
  }
  return number;
}
