import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { readJson, startHeadend } from '../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../support/headend/service-capture.ts';
import { SoftViewer } from '../../support/headend/soft-viewer.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { sourceOf } from '../../support/streams/test-sender.ts';

const SERVICE = 7;
const RESTARTS = 10;
/** bit/s and seconds of one run. */
const RATE = 80_000;
const RUN = 30;

test.each(['list', 'shared'])(
  `${RESTARTS} restarts in mid-run stop no watcher and use no id twice, by strategy %s`,
  async (strategy) => {
    const clock = new SimulatedClock(Date.UTC(2026, 11, 24, 20));
    await using capture = await ServiceCapture.start();
    const viewer = await SoftViewer.start(1, 100_000_000n);
    const session = {
      name: 'main',
      source: 'memory',
      format: 'data',
      rate: RATE,
      address: `${capture.address}:${capture.port}`,
      profile: { every: 5, closingTime: 1000 },
      keys: { strategy, period: 20, segment: 100 },
    };
    const price = { content: { price: '1.50 USD/programme' } };
    const service = { number: SERVICE, name: 'Harbour', price, sessions: [session] };
    const openSource = async () => sourceOf([randomBytes((RATE / 8) * RUN * 2)]);
    await using fixture = await startHeadend([service], { clock, openSource });
    // A sender that stops waits for its next packet.
    await using stopping = { [Symbol.asyncDispose]: () => clock.advanceUntil(fixture.stop()) };
    let streams = 0;
    const streamsBegun = async () => {
      const begun = () => fixture.log.filter(({ msg }) => msg === 'a stream begins').length;
      while (begun() <= streams) await turn();
      streams = begun();
    };
    await streamsBegun();
    const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
    const from = Math.floor(clock.now() / 1000);
    const join = { service: SERVICE, offer: offers[0]!.id, from, to: from + 3600 };
    expect(await viewer.request(fixture, 'join', join)).toMatchObject({ outcome: 'joined' });

    const openedIn: number[] = [];
    for (let run = 0; run <= RESTARTS; run++) {
      if (run > 0) {
        await stopping[Symbol.asyncDispose]();
        await fixture.start();
        await streamsBegun();
      }
      const before = viewer.opened;
      // In steps, as sockets that wait together are not read in the order of what was sent.
      for (let second = 0; second < RUN; second++) {
        await turn();
        await clock.advance(1000);
      }
      await turn();
      await viewer.follow(capture, SERVICE);
      openedIn.push(viewer.opened - before);
    }
    expect(viewer.refused).toBe(0);
    // Some 57 groups a run: each of 5 packets of 1,316 octets.
    for (const opened of openedIn) expect(opened).toBeGreaterThan(40);
    // A segment of 100 s is paid for once, over as many restarts as fall into it: five at most, and not eleven.
    const segments = Number((await viewer.settle())?.amount) / 1_500_000;
    expect([4, 5]).toContain(segments);

    const keys = capture.messages.flatMap((octets) =>
      octets[0] === KIND.combinedSection ? separate(octets) : [octets],
    );
    const contents = new Map<number, Set<string>>();
    const segmentTimes = new Map<number, Set<string>>();
    for (const { kind, keyId, from: start, to, body } of keys.map((octets) => parseKeyMessage(octets))) {
      // The master salt is drawn with the key; a segment key is known by its time.
      const [ids, what] =
        kind === KIND.content
          ? [contents, Buffer.from(body.subarray(24, 36)).toString('hex')]
          : [segmentTimes, `${start} to ${to}`];
      ids.set(keyId, (ids.get(keyId) ?? new Set()).add(what));
    }
    expect(contents.size).toBeGreaterThan(RESTARTS * 2);
    expect([4, 5]).toContain(segmentTimes.size);
    for (const [id, uses] of [...contents, ...segmentTimes]) expect(uses.size, `key ${id}`).toBe(1);
    await viewer.close();
  },
  // On a machine with other work each restart takes seconds.
  90_000,
);
