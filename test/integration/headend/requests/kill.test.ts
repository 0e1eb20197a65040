import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import type { RequestKind } from '../../../../apdu/decode-module/requests/signed-request.ts';
import type { Answer } from '../../../../host/contract/answers/answer.ts';
import type { Reply } from '../../../../host/headend/requests/reply.ts';
import { openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { answerOf, HandCard, problemOf } from '../../../support/headend/request-desk-fixture.ts';
import type { DeskQuestion, DeskReply } from '../../../support/headend/request-desk-process.ts';

/** By hand: KILLS=100. */
const KILLS = Number(process.env['KILLS'] ?? 10);
const CLIENTS = 24;
/** Replies of a head-end after which it is killed, at most; and ms after that. */
const MAX_REPLIES = 150;
const MAX_PAUSE = 3;
const SCRIPT = new URL('../../../support/headend/request-desk-process.ts', import.meta.url);

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-kill-'));
});

afterAll(() => rm(directory, { recursive: true }));

/** The head-end that runs now; it is killed and started again, and clients ask it until they are answered. */
class MortalDesk {
  #child: ChildProcess | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, (reply: Reply | 'died') => void>();
  #isReady = Promise.withResolvers<void>();
  #replies = 0;
  #awaited: { readonly count: number; readonly resolve: () => void } | undefined;

  async start(): Promise<void> {
    const child = fork(SCRIPT, [directory], { serialization: 'advanced' });
    const started = new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the head-end ended by itself with ${code}`)));
      child.on('message', (message: DeskReply) => {
        if (message === 'ready') return resolve();
        this.#waiting.get(message.id)?.(message.reply);
        this.#waiting.delete(message.id);
        if (++this.#replies === this.#awaited?.count) this.#awaited.resolve();
      });
    });
    await started;
    this.#child = child;
    this.#isReady.resolve();
  }

  /** Waits until it has given so many replies more. */
  waitForReplies(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited = { count: this.#replies + count, resolve };
    });
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    this.#isReady = Promise.withResolvers();
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    for (const settle of this.#waiting.values()) settle('died');
    this.#waiting.clear();
  }

  /** Sends the same octets until there is an answer. */
  async ask(octets: Uint8Array): Promise<Reply> {
    for (;;) {
      await this.#isReady.promise;
      const id = ++this.#lastId;
      const reply = await new Promise<Reply | 'died'>((resolve) => {
        this.#waiting.set(id, resolve);
        const question: DeskQuestion = { id, octets };
        this.#child?.send(question, (error) => error !== null && resolve('died'));
        if (this.#child === undefined) resolve('died');
      });
      this.#waiting.delete(id);
      if (reply !== 'died') return reply;
    }
  }
}

/** What one client was told of one card. */
interface Story {
  readonly card: HandCard;
  readonly asked: { readonly octets: Uint8Array; readonly reply: Reply; readonly answer: Answer }[];
}

const desk = new MortalDesk();
const stories: Story[] = [];
const stop = new AbortController();
let serial = 0;

/** Card after card joins, confirms, asks for its key again, extends and leaves. */
async function runClient(): Promise<void> {
  while (!stop.signal.aborted) {
    const story: Story = { card: new HandCard(++serial), asked: [] };
    stories.push(story);
    const { to } = await request(story, 'join', (now) => [now, now + 3600]);
    await request(story, 'keyRequest', (now) => [now, 0]);
    await request(story, 'extend', () => [to, to + 3600]);
    await request(story, 'leave', (now) => [now, now]);
  }
}

async function request(story: Story, kind: RequestKind, time: (now: number) => [number, number]): Promise<Answer> {
  for (;;) {
    const octets = story.card.sign(kind, ...time(Math.floor(Date.now() / 1000)));
    const reply = await desk.ask(octets);
    // It took so long to start anew on this machine.
    if (problemOf(reply) === 'skewed') continue;
    const answer = answerOf(reply);
    story.asked.push({ octets, reply, answer });
    for (const message of answer.messages) answerOf(await desk.ask(story.card.confirm(message)));
    return answer;
  }
}

test(
  `killed ${KILLS} times under load: every key that was sent is logged, nothing is lost or doubled`,
  async () => {
    const clients = Array.from({ length: CLIENTS }, runClient);
    const failed = Promise.all(clients);
    for (let i = 0; i < KILLS; i++) {
      await desk.start();
      await Promise.race([desk.waitForReplies(1 + Math.floor(Math.random() * MAX_REPLIES)), failed]);
      await sleep(Math.random() * MAX_PAUSE);
      await desk.kill();
    }
    stop.abort();
    await desk.start();
    await failed;

    // The same octets again get the same answers, from a head-end that never saw them.
    for (const { asked } of stories.slice(0, 20)) {
      for (const { octets, reply } of asked) expect(await desk.ask(octets)).toEqual(reply);
    }
    await desk.kill();

    await using store = await openHeadendStore(directory);
    const log = await store.selectFrom('requestLog').selectAll().execute();
    const rows = new Set(log.map(({ cardId, requestId, outcome }) => `${cardId} ${requestId} ${outcome}`));
    expect(rows.size).toBe(log.length);
    for (const { card, asked } of stories) {
      for (const { answer } of asked) expect(rows).toContain(`${card.hex} ${answer.requestId} ${answer.outcome}`);
      const numbers = asked.flatMap(({ answer }) => answer.messages.map((octets) => parseKeyMessage(octets).number));
      expect(new Set(numbers).size).toBe(numbers.length);
    }
    // Each card joined once, and left.
    expect(log.filter(({ outcome }) => outcome === 'joined')).toHaveLength(stories.length);
    expect(await store.selectFrom('member').selectAll().execute()).toEqual([]);
    expect(await store.selectFrom('chargingEntry').selectAll().execute()).toEqual([]);
    const bills = await store.selectFrom('bill').select(['user', 'isClosed']).execute();
    expect(bills).toHaveLength(stories.length);
    expect(new Set(bills.map(({ user }) => user)).size).toBe(stories.length);
    expect(stories.length).toBeGreaterThan(CLIENTS);
  },
  120_000 + KILLS * 5000,
);
