import { randomBytes } from 'node:crypto';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { BrokenCard } from '../../../support/cards/broken-card.ts';
import { readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';
import { readGroup, takeApart, tryRecording } from '../../../support/headend/recording.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SoftViewer } from '../../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';
import { deriveTestCardKey, MASTERS } from '../../../support/streams/test-service.ts';

/**
 * What `serve` puts on the network, recorded by plain sockets, is tried afterwards: on the cards themselves, in every
 * order, and by somebody who has read the keys out of a card and heeds no time.
 */
const SERVICE = 7;
/** bit/s; a group of five packets takes about a second. */
const RATE = 52_640;
/** Seconds of the stream, of a content key and of a segment. */
const LENGTH = 360;
const PERIOD = 40;
const SEGMENT = 120;
/** Seconds of the stream at which one leaves, one joins, the battery of one is flat to its end, and one is blocked. */
const LEFT = 90;
const JOINED = 150;
const EXPIRED = 160;
const BLOCKED = 255;
/** The same, too late for a change of keys before that of the segment. */
const BLOCKED_LATE = 221;
/** Seconds for which a key that nobody expected travels before it holds. */
const LEAD = 2;
/** Orders in which all is tried that are no order at all. */
const SHUFFLES = 4;

const shuffle = <T>(items: readonly T[]): T[] =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);

test.each([
  { grace: 0, blockedFrom: BLOCKED, until: BLOCKED + LEAD },
  { grace: 5, blockedFrom: BLOCKED, until: BLOCKED + LEAD },
  { grace: 5, blockedFrom: BLOCKED_LATE, until: 2 * SEGMENT },
])(
  'with $grace s of grace, one of them blocked at $blockedFrom s: what was recorded opens nothing to whoever is not paying for it',
  async ({ grace, blockedFrom, until }) => {
    const clock = new SimulatedClock(Date.UTC(2026, 11, 24, 20));
    await using capture = await ServiceCapture.start();
    const session = {
      name: 'main',
      source: 'memory',
      format: 'data',
      rate: RATE,
      address: `${capture.address}:${capture.port}`,
      profile: { every: 5, closingTime: 1000 },
      keys: { period: PERIOD, segment: SEGMENT, grace },
    };
    const price = { content: { price: '5.00 USD/h', settlement: 'invoice' } };
    const openSource = async () => sourceOf([randomBytes((RATE / 8) * LENGTH)]);
    await using fixture = await startHeadend([{ number: SERVICE, name: 'Harbour', price, sessions: [session] }], {
      clock,
      openSource,
    });
    await using started = new AsyncDisposableStack();
    started.defer(() => clock.advanceUntil(fixture.stop()));
    const start = async (serial: number): Promise<SoftViewer> => {
      const viewer = await SoftViewer.start(serial, 0n);
      started.defer(() => viewer.close());
      return viewer;
    };
    const [stayer, leaver, joiner, silent, blocked, outsider] = [
      await start(1),
      await start(2),
      await start(3),
      await start(4),
      await start(5),
      await start(6),
    ];
    const viewers = [stayer, leaver, joiner, silent, blocked, outsider];
    while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
    const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
    const begun = Math.floor(clock.now() / 1000);
    const now = () => Math.floor(clock.now() / 1000);
    const ask = (viewer: SoftViewer, kind: 'join' | 'leave', to: number) =>
      viewer.request(fixture, kind, { service: SERVICE, offer: offers[0]!.id, from: now(), to: begun + to });
    const goTo = async (second: number): Promise<void> => {
      while (clock.now() < (begun + second) * 1000) {
        await clock.advance(Math.min(1000, (begun + second) * 1000 - clock.now()));
        // What is sent is kept on disk first, in a thread that no clock of a test moves.
        await sleep(2);
      }
      await capture.settle();
      for (const viewer of viewers) await viewer.follow(capture, SERVICE);
    };

    for (const viewer of [stayer, leaver, blocked]) await ask(viewer, 'join', LENGTH);
    await ask(silent, 'join', EXPIRED);
    await goTo(LEFT);
    await ask(leaver, 'leave', LEFT);
    await goTo(JOINED);
    await ask(joiner, 'join', LENGTH);
    await goTo(blockedFrom);
    const card = formatCardId(blocked.cardId);
    expect((await fixture.askOperator('PUT', `/v1/operator/cards/${card}/block`)).status).toBe(200);
    await goTo(LENGTH - 1);

    // The log, with all its details, has no key in it.
    const logged = JSON.stringify(fixture.log);
    const secrets = [...viewers.flatMap(({ given }) => given.map((octets) => octets.subarray(32, 48))), MASTERS.unique];
    for (const secret of secrets) {
      for (const form of ['hex', 'base64', 'base64url'] as const) {
        expect(logged).not.toContain(Buffer.from(secret).toString(form).slice(0, 21));
      }
    }

    // Meanwhile each saw what it paid for, to the second.
    const groups = capture.groups.map((packets) => ({ packets, ...readGroup(packets[0]!) }));
    const between = (from: number, to: number) =>
      groups.filter(({ mediaTime }) => begun + from <= mediaTime && mediaTime < begun + to);
    const timesOf = (some: readonly { mediaTime: number }[]) => some.map(({ mediaTime }) => mediaTime);
    expect(groups.length).toBeGreaterThan(LENGTH / 2);
    // Second of the stream at which the key changes because of what happened at another.
    const changeAfter = (second: number): number => {
      const [before] = between(0, second).slice(-1);
      const changed = between(second, LENGTH).find(({ contentKeyId }) => contentKeyId !== before!.contentKeyId)!;
      return changed.mediaTime - begun;
    };
    const [leftAt, expiredAt, blockedAt] = [changeAfter(LEFT), changeAfter(EXPIRED), changeAfter(blockedFrom)];
    expect(leftAt).toBeLessThanOrEqual(LEFT + LEAD);
    expect(expiredAt).toBeLessThanOrEqual(EXPIRED + LEAD);
    expect(blockedAt).toBeLessThanOrEqual(until);
    expect(stayer.openedAt).toEqual(timesOf(groups));
    expect(leaver.openedAt).toEqual(timesOf(between(0, leftAt)));
    expect(joiner.openedAt).toEqual(timesOf(between(JOINED, LENGTH)));
    expect(silent.openedAt).toEqual(timesOf(between(0, expiredAt)));
    expect(blocked.openedAt).toEqual(timesOf(between(0, blockedAt)));
    expect(outsider.openedAt).toEqual([]);

    // Everything that was ever on the network, and in answers to this card or any other.
    const ends = [
      { name: 'leaver', viewer: leaver, forbidden: between(leftAt, LENGTH) },
      { name: 'flat battery', viewer: silent, forbidden: between(expiredAt, LENGTH) },
      { name: 'blocked', viewer: blocked, forbidden: between(blockedAt, LENGTH) },
      { name: 'outsider', viewer: outsider, forbidden: groups },
      { name: 'joiner', viewer: joiner, forbidden: between(0, JOINED) },
    ];
    const heard = takeApart(capture.messages);
    const given = takeApart(viewers.flatMap((viewer) => viewer.given));
    const all = [...given, ...heard];
    const orders = [
      all,
      all.toReversed(),
      [...heard, ...given],
      ...Array.from({ length: SHUFFLES }, () => shuffle(all)),
    ];
    for (const power of ['kept', 'lost']) {
      for (const { name, viewer, forbidden } of ends) {
        expect(forbidden.length).toBeGreaterThan(50);
        for (const messages of orders) {
          if (power === 'lost') {
            await viewer.reset();
            await viewer.module.openSession(SERVICE);
          }
          expect(await tryRecording(viewer.module, messages, forbidden), `${name}, power ${power}`).toEqual([]);
        }
      }
    }

    // Who has read out the keys of its card, and takes whatever it can unwrap.
    for (const { name, viewer, forbidden } of ends) {
      const broken = new BrokenCard(SERVICE, deriveTestCardKey('downlink', viewer.cardId));
      broken.learn(all);
      const opened = groups.filter(({ packets }) => broken.open(packets) !== undefined);
      // A joiner has the segment key, which opens what came before it in the segment: that its card alone keeps from it.
      if (name === 'joiner') {
        expect(timesOf(opened)).toEqual(timesOf(between(SEGMENT, LENGTH)));
        continue;
      }
      const open = new Set(timesOf(opened));
      expect(
        forbidden.filter(({ mediaTime }) => open.has(mediaTime)),
        name,
      ).toEqual([]);
      expect(opened.length > 0, name).toBe(name !== 'outsider');
    }
  },
  120_000,
);
