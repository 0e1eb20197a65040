import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, formatAnswer } from '../../host/contract/answers/answer.ts';
import { EntryBook } from '../../host/headend/charging/entry-book.ts';
import { MemberBook } from '../../host/headend/membership/member-book.ts';
import { CardNumbers } from '../../host/headend/requests/card-numbers.ts';
import { Joins } from '../../host/headend/requests/joins.ts';
import type { RequestDesk } from '../../host/headend/requests/request-desk.ts';
import { logChange, rememberChange } from '../../host/headend/requests/request-rows.ts';
import type { SessionKeys } from '../../host/headend/requests/session-keys.ts';
import { answerOf, DeskFixture, HandCard, SOLD } from '../support/request-desk-fixture.ts';
import { NOW } from '../support/sample-offer.ts';
import { findMedian, type Measurement } from './figures.ts';

const ROUNDS = 7;
const ONE_BY_ONE = 400;
const GROUPED = 20_000;
const COMMITTED = 40_000;
/** Requests that wait for their answers at a time. */
const AT_ONCE = 4000;
/** Octets that the loop makes durable at a time: a page of the database. */
const PAGE = 4096;

/** Joins that are answered in a second, each on disk before its key leaves. */
export async function measureJoins(): Promise<Measurement> {
  const fixture = await DeskFixture.open();
  const figures: Record<'alone' | 'loop' | 'ratio' | 'grouped' | 'committed', number[]> = {
    alone: [],
    loop: [],
    ratio: [],
    grouped: [],
    committed: [],
  };
  const file = openSync(join(fixture.directory, 'loop'), 'w');
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const loop = await countPerSecond(ONE_BY_ONE, () => syncPages(file));
      const single = signJoins(ONE_BY_ONE);
      const alone = await countPerSecond(ONE_BY_ONE, () => askOneByOne(fixture.desk, single));
      figures.loop.push(loop);
      figures.alone.push(alone);
      figures.ratio.push(alone / loop);
      const many = signJoins(GROUPED);
      figures.grouped.push(await countPerSecond(GROUPED, () => askAtOnce(fixture.desk, many)));
      figures.committed.push(await countPerSecond(COMMITTED, () => commitAtOnce(fixture, round)));
    }
  } finally {
    await fixture.close();
  }
  const { alone, loop, ratio, grouped, committed } = figures;
  return {
    how:
      `Joins of cards that were never seen before: tag checked, key sealed, log row, member, entry, number and answer ` +
      `in one transaction. One after the other, against a loop that writes ${PAGE.toLocaleString('en')} octets and calls ` +
      `fdatasync; and ${AT_ONCE.toLocaleString('en')} at a time, whole and without checking tag and sealing key. Median ` +
      `of ${ROUNDS} rounds by turns.`,
    rows: [
      { what: 'joins one by one', figure: findMedian(alone), unit: 'joins/s' },
      { what: 'fdatasync loop', figure: findMedian(loop), unit: 'writes/s' },
      { what: 'joins / loop', figure: findMedian(ratio), unit: '', goal: { atLeast: 0.7 } },
      { what: 'joins in groups, whole', figure: findMedian(grouped), unit: 'joins/s' },
      { what: 'joins in groups, committed', figure: findMedian(committed), unit: 'joins/s', goal: { atLeast: 50_000 } },
    ],
  };
}

let serial = 0;

function signJoins(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => new HandCard(++serial).sign('join', NOW, NOW + 3600));
}

async function askOneByOne(desk: RequestDesk, requests: readonly Uint8Array[]): Promise<void> {
  for (const request of requests) requireJoined(answerOf(await desk.answer(request)));
}

async function askAtOnce(desk: RequestDesk, requests: readonly Uint8Array[]): Promise<void> {
  for (let at = 0; at < requests.length; at += AT_ONCE) {
    const replies = await Promise.all(requests.slice(at, at + AT_ONCE).map((request) => desk.answer(request)));
    if (replies.some((reply) => 'problem' in reply)) throw new Error('a join was refused');
  }
}

function requireJoined({ outcome }: Answer): void {
  if (outcome !== 'joined') throw new Error(`a join was answered with ${outcome}`);
}

/** Decides and commits joins as the desk does; their tags were checked before, and one key is sealed for all. */
async function commitAtOnce({ writer, keys }: DeskFixture, round: number): Promise<void> {
  const state = { members: new MemberBook(), entries: new EntryBook('forward'), numbers: new CardNumbers([]) };
  const { messages } = keys.grant({
    sold: SOLD,
    cardId: new HandCard(1).id,
    from: NOW,
    to: NOW + 1,
    takeNumber: () => 1,
  });
  const grant: SessionKeys['grant'] = ({ takeNumber }) => {
    takeNumber();
    return { messages, segmentIds: [5] };
  };
  const joins = new Joins(state, { keys: { grant, end: () => undefined } });
  const cardOctets = new Uint8Array(8);
  const tag = '5a'.repeat(16);
  for (let at = 0; at < COMMITTED; at += AT_ONCE) {
    const commits = Array.from({ length: AT_ONCE }, (_, i) => {
      const logId = (round + 1) * 1_000_000 + at + i;
      const cardId = `ffffff01${(Math.imul(logId, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')}`;
      const times = { from: NOW, to: NOW + 3600, now: NOW };
      const applied = joins.join({ cardId, cardOctets, user: cardId, sold: SOLD, ...times, logId });
      if ('problem' in applied) throw new Error(`a join was refused: ${applied.problem}`);
      const requestId = '0011223344556677';
      const { outcome, charge, member } = applied;
      const { service, session, from, to } = member;
      const answer = { requestId, outcome, service, from, to, messages, ...(charge !== undefined && { charge }) };
      const row = { id: logId, at: NOW, cardId, kind: 'join', service, session, segmentId: 5, requestId, outcome };
      const logged = { ...row, timeFrom: from, timeTo: to };
      const remembered = rememberChange(logged, tag, formatAnswer(answer));
      return writer.commit([...applied.changes, logChange(logged), remembered]);
    });
    await Promise.all(commits);
  }
}

async function syncPages(file: number): Promise<void> {
  const page = Buffer.alloc(PAGE, 0xa5);
  for (let i = 0; i < ONE_BY_ONE; i++) {
    writeSync(file, page);
    fdatasyncSync(file);
  }
}

async function countPerSecond(count: number, work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (count * 1000) / (performance.now() - start);
}
