import { globSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { type Code, inConstantCase, readPage } from '../../support/page-tables.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
/** Paths of the applet's sources by class name. */
const SOURCES = new Map(
  globSync('card-sim/applet/src/main/*/tollcast/applet/*.java', { cwd: ROOT }).map((path) => [
    basename(path, '.java'),
    path,
  ]),
);
const page = readPage();

/** Messages that the host alone takes apart. */
const OFF_CARD = new Set(['section header', 'section entry']);
/** The applet numbers the card keys; a key starts 16 octets behind the one before. */
const CARD_KEYS = 'card keys';
const ON_CARD = page.messages.filter((message) => !OFF_CARD.has(message) && message !== CARD_KEYS);

/** `key message header` is laid out by KeyMessageHeader. */
function className(message: string): string {
  const words = message === 'header of STORE DATA' ? 'store data header' : message;
  return words.replace(/(?:^| )(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The constants of a class that are numbers, by name; octets and shorts as unsigned. */
function constantsOf(name: string): Record<string, number> {
  const source = readFileSync(join(ROOT, SOURCES.get(name)!), 'utf8');
  const constants: Record<string, number> = {};
  const declaration =
    /^ {2}(?:private )?(?:static final )?(byte|short) (\w+) = (?:\((?:byte|short)\) )?(0x\w+|\d+);$/gm;
  for (const [, type, constant, value] of source.matchAll(declaration)) {
    constants[constant!] = Number(value) & (type === 'byte' ? 0xff : 0xffff);
  }
  return constants;
}

function inConstants(codes: readonly Code[]): Record<string, number> {
  return Object.fromEntries(codes.map(({ name, code }) => [name, code]));
}

function withoutPrefix(prefix: string, constants: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(constants).map(([name, code]) => [name.replace(prefix, ''), code]));
}

describe('the applet lays a message out as the page says', () => {
  it.each(ON_CARD)('%s', (message) => {
    const { SIZE, ...offsets } = constantsOf(className(message));
    const table = page.fieldTable(message);
    // Two runs of reserved octets in one message are told apart by a digit.
    const ofApplet = Object.entries(offsets).map(([name, at]) => [name.replace(/^(RESERVED)_\d$/, '$1'), at]);
    expect(ofApplet).toEqual(table.fields.map(({ name, at }) => [inConstantCase(name), at]));
    expect(SIZE).toBe(table.length);
  });

  it('card keys', () => {
    const numbers = constantsOf('Persistent');
    const ofApplet = page.fieldTable(CARD_KEYS).fields.map(({ name }) => 16 * numbers[inConstantCase(name)]!);
    expect(ofApplet).toEqual(page.fieldTable(CARD_KEYS).fields.map(({ at }) => at));
  });
});

test.each([
  ['status words', constantsOf('StatusWords'), page.statusWords()],
  ['instructions', withoutPrefix('INS_', constantsOf('Instructions')), page.instructions()],
  ['tariffs', constantsOf('Tariffs'), page.tariffs()],
  ['DGIs', constantsOf('DataGroups'), page.dgis()],
  ['data objects', constantsOf('DataObjects'), page.dataObjects()],
])('the %s of the applet have the codes of the page, and no others', (_, ofApplet, ofPage) => {
  expect(ofApplet).toEqual(inConstants(ofPage));
});

test('so do the kinds, beside the version of every message', () => {
  const { VERSION, ...kinds } = constantsOf('Kinds');
  expect(kinds).toEqual(inConstants(page.kinds()));
  expect(VERSION).toBe(1);
});

test('and the life states, beside the P1 of SET STATUS', () => {
  const { P1_APPLICATION, ...states } = constantsOf('Life');
  expect(states).toEqual(inConstants(page.lifeStates()));
  expect(P1_APPLICATION).toBe(0x40);
});
