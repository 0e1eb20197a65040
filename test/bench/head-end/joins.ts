import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { formatAnswer } from '../../../host/contract/answers/answer.ts';
import { EntryBook } from '../../../host/headend/charging/entry-book.ts';
import { MemberBook } from '../../../host/headend/membership/member-book.ts';
import { CardNumbers } from '../../../host/headend/requests/card-numbers.ts';
import { Joins } from '../../../host/headend/requests/joins.ts';
import type { Reply } from '../../../host/headend/requests/reply.ts';
import type { RequestDesk } from '../../../host/headend/requests/request-desk.ts';
import { logChange, rememberChange } from '../../../host/headend/requests/request-rows.ts';
import type { SessionKeys } from '../../../host/headend/requests/session-keys.ts';
import { loadOpensslCbc } from '../../../host/transport/crypto/node-openssl-cbc.ts';
import { DeskFixture, HandCard, SOLD } from '../../support/headend/request-desk-fixture.ts';
import { NOW } from '../../support/headend/sample-offer.ts';
import { findMedian, type Measurement } from '../figures.ts';
import { JOIN_PACING, measureJoinPacing } from './join-pacing.ts';

const ROUNDS = 7;
/** Joins, and then as many writes of the loop, at a turn; the first turns are not counted, as Node compiles meanwhile. */
const TURN = 50;
const TURNS = 60;
const WARM_UP = 20;
const GROUPED = 20_000;
const COMMITTED = 40_000;
/** Requests that wait for their answers at a time, half of them for the next commit. */
const AT_ONCE = 4000;
/** Octets that the loop makes durable at a time: a page of the database. */
const PAGE = 4096;

/** Joins that are answered in a second, each on disk before its key leaves. */
export async function measureJoins(): Promise<Measurement> {
  const fixture = await DeskFixture.open({ makeCipher: await loadOpensslCbc() });
  const alone: number[] = [];
  const loop: number[] = [];
  const grouped: number[] = [];
  const committed: number[] = [];
  const file = openSync(join(fixture.directory, 'loop'), 'w');
  try {
    // Before the groups: what they leave is collected by threads that would take a core from the joins alone.
    for (let turn = 0; turn < WARM_UP + TURNS; turn++) {
      const written = await countPerSecond(TURN, () => syncPages(file, TURN));
      const requests = signJoins(TURN);
      const joined = await countPerSecond(TURN, () => askOneByOne(fixture.desk, requests));
      if (turn < WARM_UP) continue;
      loop.push(written);
      alone.push(joined);
    }
    for (let round = 0; round < ROUNDS; round++) {
      const many = signJoins(GROUPED);
      grouped.push(await countPerSecond(GROUPED, () => askAtOnce(fixture.desk, many)));
      committed.push(await countPerSecond(COMMITTED, () => commitAtOnce(fixture, round)));
    }
  } finally {
    await fixture.close();
  }
  const pacing = await measureJoinPacing();
  const ratio = alone.map((joined, turn) => joined / loop[turn]!);
  return {
    how:
      `Joins of cards that were never seen before: tag checked, key sealed, log row, member, entry, number and answer ` +
      `in one transaction. One after the other, against a loop that appends ${PAGE.toLocaleString('en')} octets to a file and ` +
      `calls fdatasync, ${TURN} of each at a turn, median of ${TURNS} turns; then ${AT_ONCE.toLocaleString('en')} waiting at a time, ` +
      `whole and without checking tag and sealing key, median of ${ROUNDS} rounds. ${JOIN_PACING}`,
    rows: [
      { what: 'joins one by one', figure: findMedian(alone), unit: 'joins/s' },
      { what: 'fdatasync loop', figure: findMedian(loop), unit: 'writes/s' },
      { what: 'joins / loop', figure: findMedian(ratio), unit: '', goal: { atLeast: 0.7 } },
      { what: 'joins in groups, whole', figure: findMedian(grouped), unit: 'joins/s' },
      { what: 'joins in groups, committed', figure: findMedian(committed), unit: 'joins/s', goal: { atLeast: 50_000 } },
      ...pacing,
    ],
  };
}

let serial = 0;

function signJoins(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => new HandCard(++serial).sign('join', NOW, NOW + 3600));
}

async function askOneByOne(desk: RequestDesk, requests: readonly Uint8Array[]): Promise<void> {
  for (const request of requests) requireJoined(await desk.answer(request));
}

async function askAtOnce(desk: RequestDesk, requests: readonly Uint8Array[]): Promise<void> {
  await keepBusy(requests, async (request) => requireJoined(await desk.answer(request)));
}

function requireJoined(reply: Reply): void {
  if (!('answer' in reply) || !reply.answer.includes('"outcome":"joined"')) throw new Error('a join was refused');
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
    return { messages, segments: [{ id: 5, from: NOW, to: NOW + 3600 }] };
  };
  const joins = new Joins(state, { keys: { grant, end: () => undefined } });
  const cardOctets = new Uint8Array(8);
  const tag = '5a'.repeat(16);
  const places = Array.from({ length: COMMITTED }, (_, place) => place);
  await keepBusy(places, (place) => {
    const logId = (round + 1) * 1_000_000 + place;
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
}

async function syncPages(file: number, count: number): Promise<void> {
  const page = Buffer.alloc(PAGE, 0xa5);
  for (let i = 0; i < count; i++) {
    writeSync(file, page);
    fdatasyncSync(file);
  }
}

async function countPerSecond(count: number, work: () => Promise<void>): Promise<number> {
  return count / (await measureSeconds(work));
}

async function measureSeconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Hands over in halves: while one goes to disk, the next is decided. */
async function keepBusy<T>(jobs: readonly T[], start: (job: T) => Promise<unknown>): Promise<void> {
  let before: Promise<unknown> = Promise.resolve();
  for (let at = 0; at < jobs.length; at += AT_ONCE / 2) {
    const these = Promise.all(jobs.slice(at, at + AT_ONCE / 2).map(start));
    await before;
    before = these;
  }
  await before;
}
