import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROBLEMS } from '../../../host/contract/answers/problem.ts';
import { OFFER_HEAD } from '../../../host/contract/offer/signed-offer.ts';
import { MEMBER_TIMERS, nextState, TRANSITIONS } from '../../../host/headend/membership/member-states.ts';
import { QUOTA } from '../../../host/headend/requests/answered-requests.ts';
import { inCamelCase, readPage } from '../../support/page-tables.ts';

const text = readFileSync(new URL('../../../firmware-notes/head-end.md', import.meta.url), 'utf8');

/** The rows of the table whose header begins with this word. */
function rowsOf(first: string): string[][] {
  const tables = text.split('\n\n').map((block) => block.trim().split('\n'));
  const [, , ...rows] = tables.find(([header]) => header?.startsWith(`| ${first} |`)) ?? [];
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('members change their state as the page says, and in no other way', () => {
  expect(TRANSITIONS.map(({ state, event, next, does }) => [state, event, next, does])).toEqual(rowsOf('state'));
  for (const [state, event, next] of rowsOf('state')) {
    expect(nextState(...([state, event] as Parameters<typeof nextState>))).toBe(next);
  }
  expect(nextState('none', 'extend')).toBeUndefined();
});

test('timers run where the page says', () => {
  expect(MEMBER_TIMERS.map(({ event, states, runs }) => [event, states.join(', '), runs])).toEqual(rowsOf('timer'));
});

test('problems are those of the page', () => {
  const rows = Object.entries(PROBLEMS).map(([code, { status, mayPass }]) => [
    code,
    String(status),
    mayPass === true ? 'yes' : '',
  ]);
  expect(rows).toEqual(rowsOf('problem'));
});

test('the head of an offer is laid out as the page says', () => {
  const { fields, length } = readPage(text).fieldTable('offer head');
  expect(OFFER_HEAD.places.map(({ name, at, size, type }) => ({ name, at, size, type }))).toEqual(
    fields.map((field) => ({ ...field, name: inCamelCase(field.name) })),
  );
  expect(OFFER_HEAD.length).toBe(length);
});

test('the quota is that of the page', () => {
  expect(text).toContain(`the quota of ${QUOTA} requests a minute and card`);
});

test('each behaviour of the page is shown by a test of that title', () => {
  const rows = rowsOf('behaviour');
  expect(rows.length).toBeGreaterThan(20);
  const missing = rows.filter(([, title, file]) => {
    const source = readFileSync(new URL(`../../integration/headend/${file}`, import.meta.url), 'utf8');
    return !source.includes(title!);
  });
  expect(missing).toEqual([]);
});
