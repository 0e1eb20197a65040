import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { makeContentCiphers, parseCardHeader, type Mode } from '../../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../../apdu/decode-module/working-keys.ts';
import { CARD_HEADER, CARD_TAG } from '../../../../apdu/layout/packets.ts';
import { equalTags } from '../../../../apdu/octets.ts';
import { ClearWriter, joinRtpPackets } from '../../../../host/stream/opening/clear-packets.ts';
import { ASSEMBLER_DEFAULTS, GroupAssembler } from '../../../../host/stream/opening/group-assembler.ts';
import { GroupOpener } from '../../../../host/stream/opening/group-opener.ts';
import { readMediaPacket } from '../../../../host/stream/packet/media-packet.ts';
import { GroupSealer, type SealedGroup } from '../../../../host/stream/sealing/group-sealer.ts';
import { nodeAead } from '../../../../host/transport/crypto/node-aead.ts';

const SALT = Uint8Array.from({ length: 12 }, (_, i) => 3 * i);
const KEY = {
  id: 7,
  ciphers: makeContentCiphers(deriveWorkingKeys(KIND.content, 5, 7, new Uint8Array(16).fill(9))),
  masterSalt: SALT,
};
const SSRC = 0x1234;

interface Stream {
  readonly groups: readonly SealedGroup[];
  /** The clear RTP packets of each group, as they were before sealing. */
  readonly clear: readonly (readonly Uint8Array[])[];
}

interface StreamShape {
  readonly mode: Mode;
  readonly span: number;
  readonly every: number;
  readonly firstSequence: number;
  readonly lengths: readonly number[];
}

function sealStream(shape: StreamShape): Stream {
  let octet = 0;
  const fill = (length: number) => Uint8Array.from({ length }, () => (octet = (octet * 73 + 41) & 0xff));
  const sealer = new GroupSealer({
    ssrc: SSRC,
    closingTime: 1e6,
    payloadType: 33,
    random: fill,
    aead: nodeAead,
    ...shape,
  });
  const payloads = shape.lengths.map((length) => fill(length));
  const groups: SealedGroup[] = [];
  payloads.forEach((octets, i) => {
    groups.push(...sealer.push({ octets, duration: 1, at: i, timestamp: i * 90 }, KEY, 1000));
  });
  const last = sealer.close();
  if (last !== undefined) groups.push(last);
  let next = 0;
  const clear = groups.map(({ packets }) =>
    packets.map((packet) => {
      const payload = payloads[next++]!;
      const whole = new Uint8Array(12 + payload.length);
      whole.set(packet.octets.subarray(0, 12));
      whole.set(payload, 12);
      return whole;
    }),
  );
  return { groups, clear };
}

/** What a card does with a card part, without its purse: checks the tag, refuses an old group, decrypts, counts. */
class TestCard {
  readonly charged: number[] = [];
  refused = 0;

  decode(part: Uint8Array): Uint8Array | undefined {
    const tagAt = part.length - CARD_TAG;
    const { group, mode } = parseCardHeader(part);
    const genuine = equalTags(KEY.ciphers.mac.mac(part.subarray(0, tagAt)).subarray(0, CARD_TAG), part.subarray(tagAt));
    if (!genuine || group <= (this.charged.at(-1) ?? 0)) {
      this.refused++;
      return undefined;
    }
    this.charged.push(group);
    const span = KEY.ciphers.encryption.decrypt(part.slice(CARD_HEADER.length, tagAt));
    return mode === 'sealed' ? span : span.subarray(16);
  }
}

/** Drives assembler, card and opener over packets that arrive at given ms; what comes out, in order. */
function receive(arrivals: readonly { readonly at: number; readonly octets: Uint8Array }[], options = {}) {
  const drops = new Map<string, number>();
  const count = (reason: string, packets: number) => drops.set(reason, (drops.get(reason) ?? 0) + packets);
  const assembler = new GroupAssembler({ ...ASSEMBLER_DEFAULTS, onDrop: count, ...options });
  const card = new TestCard();
  const opener = new GroupOpener(nodeAead);
  const writer = new ClearWriter();
  const delivered: Uint8Array[] = [];
  let answer: Uint8Array | undefined;
  const turn = (now: number) => {
    for (let taken = assembler.take(now); taken !== undefined; taken = assembler.take(now)) {
      const { group } = taken;
      answer = group.isDoubtful ? answer : card.decode(taken.card.part);
      if (answer === undefined) {
        assembler.refuse(group, taken.card);
        continue;
      }
      const { forged, packets } = opener.open(group, taken.card, answer, SALT, writer);
      if (forged > 0 && packets < taken.card.header.packets && assembler.canAwaitPackets(group, now)) {
        assembler.awaitPackets(group);
        writer.clear();
        continue;
      }
      if (forged > 0) count('forged', forged);
      assembler.settle(group.number, taken.card, now);
      delivered.push(...joinRtpPackets(writer.written));
      writer.clear();
    }
  };
  const turnsUntil = (end: number) => {
    for (let due = assembler.dueAt; due <= end && due < Infinity; due = assembler.dueAt) {
      turn(due);
      if (assembler.dueAt <= due) throw new Error('a group that is due neither comes out nor goes');
    }
  };
  for (const { at, octets } of arrivals) {
    turnsUntil(at);
    const packet = readMediaPacket(octets.slice());
    if (packet === undefined) count('malformed', 1);
    else assembler.add(packet, at);
    turn(at);
  }
  turnsUntil(Infinity);
  return { delivered, card, drops, left: assembler.groups, size: assembler.size };
}

const shape = fc.record({
  mode: fc.constantFrom<Mode>('sealed', 'open'),
  span: fc.constantFrom(16, 32, 64, 208),
  every: fc.constantFrom(1, 2, 3, 10, 40),
  firstSequence: fc.integer({ min: 0, max: 0xffff }),
  lengths: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 80 }),
});

describe('a sealed stream', () => {
  test('opens bit for bit when nothing is lost', () => {
    fc.assert(
      fc.property(shape, (stream) => {
        const { groups, clear } = sealStream(stream);
        const packets = groups.flatMap((group) => group.packets);
        const { delivered, card, drops, size } = receive(packets.map(({ octets }, at) => ({ at, octets })));
        expect(delivered).toEqual(clear.flat());
        expect(card.charged).toEqual(groups.map(({ header }) => header.group));
        expect(drops.size).toBe(0);
        expect(size).toBe(0);
      }),
    );
  });

  test.each(['in order', 'each pair of packets swapped'])(
    'opens with two groups of 2,000 full packets, %s',
    (order) => {
      const { groups, clear } = sealStream({
        mode: 'sealed',
        span: 208,
        every: 2000,
        firstSequence: 0xfc00,
        lengths: Array<number>(4000).fill(1316),
      });
      expect(groups.map(({ header }) => [header.packets, header.octets])).toEqual([
        [2000, 2_632_000],
        [2000, 2_632_000],
      ]);
      const sent = groups.flatMap((group) => group.packets);
      // At 20 Mbit/s a packet comes every half millisecond. The first one stays in time.
      const arrivals = sent.map((_, i) => {
        const from = order === 'in order' || i === 0 || i === sent.length - 1 ? i : ((i - 1) ^ 1) + 1;
        return { at: i / 2, octets: sent[from]!.octets };
      });
      const { delivered, card, drops, size } = receive(arrivals);
      expect(delivered.length).toBe(4000);
      expect(delivered.every((packet, i) => equalTags(packet, clear.flat()[i]!))).toBe(true);
      expect([card.charged, card.refused, [...drops], size]).toEqual([[1, 2], 0, [], 0]);
    },
  );

  test('with any loss, reordering and duplication gives just the packets that can be opened, in order, each group charged once', () => {
    const fate = fc.record({
      lost: fc.boolean().chain((maybe) => (maybe ? fc.boolean() : fc.constant(false))),
      copies: fc.array(fc.integer({ min: 0, max: ASSEMBLER_DEFAULTS.repairTime - 10 }), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(shape, fc.array(fate, { minLength: 80, maxLength: 80 }), (stream, fates) => {
        const { groups, clear } = sealStream(stream);
        const packets = groups.flatMap((group) => group.packets);
        const arrivals = packets.flatMap(({ octets }, sent) => {
          const { lost, copies } = fates[sent]!;
          // The first packet is in time: whoever joins later has no claim on what went before.
          if (sent === 0) return [{ at: 0, octets }];
          return lost ? [] : copies.map((delay) => ({ at: sent + delay, octets }));
        });
        arrivals.sort((a, b) => a.at - b.at);
        let sent = 0;
        const wanted = groups.flatMap((group, g) => {
          const first = sent;
          sent += group.packets.length;
          if (fates[first]!.lost && first !== 0) return [];
          return clear[g]!.filter((_, i) => first + i === 0 || !fates[first + i]!.lost);
        });
        const { delivered, card, left, size } = receive(arrivals);
        expect(delivered).toEqual(wanted);
        expect(new Set(card.charged).size).toBe(card.charged.length);
        expect(card.refused).toBe(0);
        expect([left, size]).toEqual([0, 0]);
      }),
    );
  });

  test('forged, truncated and replayed packets in between change nothing in mode sealed', () => {
    const spoil = fc.record({
      victim: fc.nat(),
      before: fc.boolean(),
      kind: fc.constantFrom('flip', 'cut', 'replay', 'rubbish'),
      at: fc.nat(),
      bit: fc.integer({ min: 0, max: 7 }),
    });
    fc.assert(
      fc.property(
        shape,
        fc.array(spoil, { maxLength: 30 }),
        fc.uint8Array({ maxLength: 60 }),
        (some, spoils, rubbish) => {
          const { groups, clear } = sealStream({ ...some, mode: 'sealed' });
          const packets = groups.flatMap((group) => group.packets);
          const arrivals = packets.map(({ octets }, sent) => ({ at: 10 * sent, octets }));
          for (const { victim, before, kind, at, bit } of spoils) {
            const sent = victim % packets.length;
            const octets = packets[sent]!.octets.slice();
            // The sequence number and the MKI decide where a packet is put; what stands there is checked when it is
            // opened.
            if (kind === 'flip') octets[at % octets.length]! ^= 1 << bit;
            const forged =
              kind === 'cut' ? octets.subarray(0, at % octets.length) : kind === 'rubbish' ? rubbish : octets;
            const earlier = kind === 'replay' ? 10 * sent + (at % 5000) : 10 * sent + (before && sent > 0 ? -1 : 1);
            arrivals.push({ at: earlier, octets: forged });
          }
          arrivals.sort((a, b) => a.at - b.at);
          const { delivered, card, left, size } = receive(arrivals);
          expect(delivered).toEqual(clear.flat());
          expect(card.charged).toEqual(groups.map(({ header }) => header.group));
          expect([left, size]).toEqual([0, 0]);
        },
      ),
    );
  });

  test('random octets cost nothing, and nothing of them is kept', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 1600 }), { maxLength: 40 }), (rubbish) => {
        const { delivered, card, size } = receive(rubbish.map((octets, at) => ({ at, octets })));
        expect([delivered.length, card.charged.length, size]).toEqual([0, 0, 0]);
      }),
    );
  });
});

describe('the bounds', () => {
  const { groups } = sealStream({
    mode: 'sealed',
    span: 64,
    every: 10,
    firstSequence: 65500,
    lengths: Array.from({ length: 100 }, () => 300),
  });
  const packets = groups.flatMap((group) => group.packets);

  test('when there are too many octets the farthest groups go, as the next one is never forged by its number', () => {
    const drops: [string, number][] = [];
    const assembler = new GroupAssembler({
      ...ASSEMBLER_DEFAULTS,
      maxOctets: 56_000,
      onDrop: (reason, count) => drops.push([reason, count]),
    });
    for (const { octets } of packets) {
      assembler.add(readMediaPacket(octets)!, 0);
      expect(assembler.size).toBeLessThanOrEqual(56_000);
    }
    expect(new Set(drops.map(([reason]) => reason))).toEqual(new Set(['overflow']));
    expect(assembler.take(0)?.group.number).toBe(1);
  });

  test('gap packets without a card packet go when the repair time is over', () => {
    const gaps = groups.flatMap((group) => group.packets.slice(1));
    const { delivered, drops, size } = receive(gaps.map(({ octets }, at) => ({ at, octets })));
    expect([delivered.length, size]).toEqual([0, 0]);
    expect(drops).toEqual(new Map([['noCardPacket', gaps.length]]));
  });

  test('a packet of a group that was opened is late', () => {
    const late = [...packets.map(({ octets }, at) => ({ at, octets })), { at: 200, octets: packets[3]!.octets }];
    expect(receive(late).drops).toEqual(new Map([['late', 1]]));
  });
});

describe('before paying', () => {
  const claims = (octets: number, lost: number) => {
    const { groups } = sealStream({
      mode: 'sealed',
      span: 32,
      every: 10,
      firstSequence: 1,
      lengths: Array.from({ length: 10 }, () => 300),
    });
    const packets = groups[0]!.packets.map((packet) => packet.octets.slice());
    packets[0]![12 + 4] = octets >>> 16;
    packets[0]![12 + 5] = octets >>> 8;
    packets[0]![12 + 6] = octets;
    const assembler = new GroupAssembler({ ...ASSEMBLER_DEFAULTS, onDrop: () => {} });
    for (const packet of packets.slice(0, 10 - lost)) assembler.add(readMediaPacket(packet)!, 0);
    const { group, card } = assembler.take(2000)!;
    return {
      over: group.isOverDeclared(card),
      received: group.receivedOctets(card),
      missing: group.missingPackets(card),
    };
  };

  test('the octets that a group claims are compared with those that came', () => {
    expect(claims(3000, 0)).toEqual({ over: false, received: 3000, missing: 0 });
    expect(claims(3001, 0)).toEqual({ over: true, received: 3000, missing: 0 });
    expect(claims(3000, 2)).toEqual({ over: false, received: 2400, missing: 2 });
    expect(claims(2400 + 2 * 1384, 2).over).toBe(false);
    expect(claims(2401 + 2 * 1384, 2).over).toBe(true);
  });
});
