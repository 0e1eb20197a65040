import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import type { CardKind } from '../../../../card-sim/index.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import { SessionKeyManager } from '../../../../host/headend/keys/session-key-manager.ts';
import { MemberListStrategy } from '../../../../host/headend/keys/strategies/member-list-strategy.ts';
import { Recording, RecordingViewer, sealSecond, SERVICE, SSRC } from '../../../support/cards/recording-viewer.ts';
import { isTaken } from '../../../support/headend/recording.ts';
import { deriveTestCardKey, START } from '../../../support/streams/test-service.ts';

const CEILINGS = { perMegabyte: 0n, perHour: 0n, flat: 0n, groupOctets: 5000, groupDuration: 2000, quantum: 1n };
/** Seconds of the stream, and of the key changes in it. */
const LENGTH = 400;
const PERIOD = 40;
const SEGMENT = 120;
/** When one leaves, one is evicted, and one joins, in seconds of the stream: none of them at a change of keys. */
const LEFT = 150;
const EVICTED = 250;
const JOINED = 200;
/** Seconds for which an unscheduled key travels before it holds. */
const REKEY_LEAD = 2;

describe.each<[CardKind, number]>([
  ['soft', 0],
  ['soft', 5],
  ['jcardsim', 0],
  ['jcardsim', 5],
])('on %s, with %i s of grace', (kind, grace) => {
  test('what was recorded opens nothing to who left, was evicted, came later or never', async () => {
    await using started = new AsyncDisposableStack();
    const start = async (serial: number): Promise<RecordingViewer> => {
      const viewer = await RecordingViewer.start(kind, serial);
      started.defer(() => viewer.close());
      return viewer;
    };
    const [stayer, leaver, evicted, outsider, joiner] = await Promise.all([1, 2, 3, 4, 5].map(start));
    const root = new KeyRoot(randomBytes(16));
    const ids = { segment: 1, content: 1 };
    const keys = new SessionKeyManager({
      service: SERVICE,
      tariff: { kind: 'free', price: 0n },
      rating: 0,
      classes: { card: true, soft: true },
      period: PERIOD,
      segment: SEGMENT,
      programme: [],
      grace,
      delivery: 'multicast',
      keysAhead: KEYS_AHEAD,
      strategy: new MemberListStrategy({
        service: SERVICE,
        root,
        parents: new UniqueKeys((cardId) => deriveTestCardKey('downlink', cardId)),
        ceilings: CEILINGS,
        grace,
      }),
      takeId: (name) => ids[name]++,
      deriveSegmentKey: (keyId) => root.deriveSegmentKey(SERVICE, keyId),
      segments: [],
      members: [],
      onSegment: () => undefined,
    });
    const recording = new Recording();
    keys.startStream({ ssrc: SSRC, mediaTime: START });
    for (const viewer of [stayer!, leaver!, evicted!]) {
      const { messages } = keys.grant(viewer.grant(0, LENGTH));
      for (const message of messages) recording.add(message);
      await viewer.hear(messages, 0);
    }

    const watched: Record<'stayer' | 'leaver' | 'evicted' | 'joiner', number[]> = {
      stayer: [],
      leaver: [],
      evicted: [],
      joiner: [],
    };
    const joined: Uint8Array[] = [];
    for (let second = 0; second < LENGTH; second++) {
      if (second === LEFT) {
        const purchase = (await leaver!.module.listKeys()).find((key) => key.kind === KIND.service)!;
        await leaver!.module.leave(SERVICE, purchase.keyId, START + LEFT);
        keys.end(leaver!.cardId, START + LEFT);
      }
      if (second === EVICTED) keys.end(evicted!.cardId, START + EVICTED);
      if (second === JOINED) joined.push(...keys.grant(joiner!.grant(JOINED, LENGTH)).messages);
      const { personal, shared } = keys.due(START + second);
      const announced = [...personal, ...shared];
      for (const message of announced) recording.add(message);
      const group = sealSecond(keys, second);
      recording.groups.push(group);
      for (const [name, viewer] of [
        ['stayer', stayer!],
        ['leaver', leaver!],
        ['evicted', evicted!],
      ] as const) {
        await viewer.hear(announced, second * 1000);
        if (await isTaken(viewer.module.decode(group.part))) watched[name].push(second);
      }
    }
    for (const message of joined) recording.add(message);

    const seconds = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
    expect(watched.stayer).toEqual(seconds(0, LENGTH));
    expect(watched.leaver).toEqual(seconds(0, LEFT));
    expect(watched.evicted).toEqual(seconds(0, EVICTED + REKEY_LEAD));

    const later = (second: number) => recording.groups.filter((group) => group.second >= second);
    for (const power of ['kept', 'lost']) {
      if (power === 'lost') for (const viewer of [leaver!, evicted!, outsider!]) await viewer.reset();
      expect(await leaver!.try(recording, later(LEFT)), `leaver, power ${power}`).toEqual([]);
      expect(await evicted!.try(recording, later(EVICTED + REKEY_LEAD)), `evicted, power ${power}`).toEqual([]);
      expect(await outsider!.try(recording, recording.groups), `outsider, power ${power}`).toEqual([]);
    }
    // From before the join nothing, from then on everything.
    const early = recording.groups.filter((group) => group.second < JOINED);
    for (const message of joined) await isTaken(joiner!.module.loadKey(message));
    expect(await joiner!.try(recording, early)).toEqual([]);
    expect(await joiner!.try(recording, later(JOINED))).toEqual(seconds(JOINED, LENGTH));
  });
});
