import { describe, expect, it, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { DATA_OBJECT } from '../../../apdu/decode-module/module-data.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { CAPABILITY, LIFE } from '../../../apdu/decode-module/select-answer.ts';
import * as card from '../../../apdu/layout/card.ts';
import { Layout } from '../../../apdu/layout/field-table.ts';
import * as keys from '../../../apdu/layout/keys.ts';
import * as frame from '../../../apdu/layout/message-frame.ts';
import * as money from '../../../apdu/layout/money.ts';
import * as packets from '../../../apdu/layout/packets.ts';
import * as requests from '../../../apdu/layout/requests.ts';
import { type Code, inCamelCase, readPage } from '../../support/page-tables.ts';

const page = readPage();
/** The data of a command, which the page says in the command's row. */
const IN_COMMANDS = new Set(['request data', 'leave data', 'spend limit']);
const LAYOUTS = [card, keys, frame, money, packets, requests]
  .flatMap((file) => Object.values<unknown>(file))
  .filter((value) => value instanceof Layout);
const PAGE_LAYOUTS = LAYOUTS.filter(({ name }) => !IN_COMMANDS.has(name));

/** Two runs of reserved octets in one message are told apart by a digit; a card key is called by its label. */
function pageName(name: string): string {
  return name.includes('-') ? inCamelCase(name) : name.replace(/^(reserved)\d$/, '$1');
}

describe('a message is laid out as the page says', () => {
  it.each(PAGE_LAYOUTS.map((layout) => [layout.name, layout] as const))('%s', (name, { length, places }) => {
    const table = page.fieldTable(name);
    expect(places.map((place) => ({ ...place, name: pageName(place.name) }))).toEqual(
      table.fields.map((field) => ({ ...field, name: inCamelCase(field.name) })),
    );
    expect(length).toBe(table.length);
  });

  it('and every message of the page has its layout', () => {
    expect(PAGE_LAYOUTS.map(({ name }) => name).toSorted()).toEqual(page.messages.toSorted());
  });
});

function inTypeScript(codes: readonly Code[]): Record<string, number> {
  return Object.fromEntries(codes.map(({ name, code }) => [inCamelCase(name), code]));
}

function inConstants(codes: readonly Code[]): Record<string, number> {
  return Object.fromEntries(codes.map(({ name, code }) => [name, code]));
}

test.each([
  ['status words', STATUS, inConstants(page.statusWords())],
  ['instructions', INS, inConstants(page.instructions())],
  ['kinds', KIND, inTypeScript(page.kinds())],
  ['tariffs', TARIFF, inTypeScript(page.tariffs())],
  ['life states', LIFE, inTypeScript(page.lifeStates())],
  ['capabilities', CAPABILITY, inTypeScript(page.capabilities())],
  ['DGIs', DGI, inTypeScript(page.dgis())],
  ['data objects', DATA_OBJECT, inTypeScript(page.dataObjects())],
])('%s have the codes of the page, and no others', (_, codes, ofPage) => {
  expect(codes).toEqual(ofPage);
});

test('the SELECT answer has the data objects of the page', () => {
  const ofPage = page.selectAnswer().map(({ name, code, size }) => [inCamelCase(name), { tag: code, size }]);
  expect(Object.entries(card.SELECT_ANSWER)).toEqual(ofPage);
});
