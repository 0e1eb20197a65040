import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { sealCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { type CardKind, type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { KeyLoader } from '../../../../host/bridge/keys/key-loader.ts';
import { KEYS_AHEAD } from '../../../../host/contract/answers/answer.ts';
import { UniqueKeys } from '../../../../host/headend/keys/grants/card-parents.ts';
import { KeyRoot } from '../../../../host/headend/keys/key-root.ts';
import { SessionKeyManager } from '../../../../host/headend/keys/session-key-manager.ts';
import { MemberListStrategy } from '../../../../host/headend/keys/strategies/member-list-strategy.ts';
import { isTaken, takeApart, tryRecording } from '../../../support/headend/recording.ts';
import { deriveTestCardKey, personalise, START } from '../../../support/streams/test-service.ts';

const SERVICE = 7;
const SSRC = 0x1000;
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

/** Kinds in the order in which a card can take them. */
const RANK: readonly number[] = [KIND.service, KIND.segment, KIND.content];

/** A group that was sent, one a second. */
interface Recorded {
  readonly second: number;
  readonly contentKeyId: number;
  readonly part: Uint8Array;
}

/** All that anybody could have recorded: key messages, each once, and groups. */
class Recording {
  readonly messages = new Map<string, Uint8Array>();
  readonly groups: Recorded[] = [];

  add(octets: Uint8Array): void {
    for (const message of takeApart([octets])) this.messages.set(toHex(message), message);
  }
}

/** A card and a host that tries whatever it has. */
class Viewer {
  readonly cardId: Uint8Array;
  readonly module: DecodeModule;
  readonly #card: SimulatedCard;
  readonly #loader = new KeyLoader({ onDrop: () => undefined });
  #number = START;

  static async start(kind: CardKind, serial: number): Promise<Viewer> {
    const card = await startCard({ kind });
    const viewer = new Viewer(card, await personalise(card, serial, 0n), new DecodeModule(await card.channel()));
    viewer.#loader.reset(serial);
    await viewer.tune();
    return viewer;
  }

  private constructor(card: SimulatedCard, cardId: Uint8Array, module: DecodeModule) {
    this.#card = card;
    this.cardId = cardId;
    this.module = module;
  }

  close = () => this.#card.close();

  grant = (from: number, to: number) => ({
    cardId: this.cardId,
    from: START + from,
    to: START + to,
    takeNumber: () => this.#number++,
  });

  /** After a reset, or at the start. */
  async tune(): Promise<void> {
    await this.module.select();
    await this.module.openSession(SERVICE);
  }

  async reset(): Promise<void> {
    await this.#card.reset();
    await this.tune();
  }

  /** Takes what is on the key port, as a bridge does. @param now ms. */
  async hear(messages: readonly Uint8Array[], now: number): Promise<void> {
    for (const message of messages) this.#loader.add(message, now);
    for (let next = this.#loader.next(); next !== undefined; next = this.#loader.next()) {
      await this.#loader.load(this.module, next, now);
    }
  }

  /** Tries each group with every message that could help, and keys before what is under them. */
  async try(recording: Recording, groups: readonly Recorded[]): Promise<number[]> {
    const messages = [...recording.messages.values()].toSorted((a, b) => RANK.indexOf(a[0]!) - RANK.indexOf(b[0]!));
    const timed = groups.map(({ second, ...group }) => ({ ...group, mediaTime: second }));
    return tryRecording(this.module, messages, timed);
  }
}

describe.each<[CardKind, number]>([
  ['soft', 0],
  ['soft', 5],
  ['jcardsim', 0],
  ['jcardsim', 5],
])('on %s, with %i s of grace', (kind, grace) => {
  test('what was recorded opens nothing to who left, was evicted, came later or never', async () => {
    await using started = new AsyncDisposableStack();
    const start = async (serial: number): Promise<Viewer> => {
      const viewer = await Viewer.start(kind, serial);
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
      const { id, ciphers } = keys.at(START + second);
      const header = {
        mode: 'sealed',
        spanBlocks: 1,
        packets: 1,
        octets: 1000,
        duration: 1000,
        mediaTime: START + second,
        contentKeyId: id,
        index: second,
        ssrc: SSRC,
        group: second + 1,
      } as const;
      const part = sealCardPart(header, new Uint8Array(16), ciphers);
      recording.groups.push({ second, contentKeyId: id, part });
      for (const [name, viewer] of [
        ['stayer', stayer!],
        ['leaver', leaver!],
        ['evicted', evicted!],
      ] as const) {
        await viewer.hear(announced, second * 1000);
        if (await isTaken(viewer.module.decode(part))) watched[name].push(second);
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
