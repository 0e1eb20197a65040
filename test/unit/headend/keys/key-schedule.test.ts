import { createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AesCbc } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { decodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { type KeyMessage, parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { deriveWorkingKeys } from '../../../../apdu/decode-module/working-keys.ts';
import { OutOfRangeError } from '../../../../apdu/errors.ts';
import { KeySchedule, type KeyScheduleOptions } from '../../../../host/headend/keys/schedules/key-schedule.ts';

const START = 1_800_000_000;

const OPTIONS: KeyScheduleOptions = {
  service: 7,
  serviceKeyId: 1,
  serviceKey: randomBytes(16),
  start: START,
  end: START + 30 * 86_400,
  period: 300,
  terms: { tariff: { kind: 'octets', price: 250_000n }, classes: { card: true, soft: true }, ssrcs: [0x1234] },
  random: (length) => randomBytes(length),
};

/** The key inside a message, as its parent opens it; checks the tag. */
function unwrap(message: KeyMessage, parentKey: Uint8Array): Uint8Array {
  const { octets, parentKind, parentId, service } = parseKeyMessage(message.octets);
  const parent = deriveWorkingKeys(parentKind, service, parentId, parentKey);
  const tag = new AesCbc(parent.mac).mac(octets.subarray(0, -8)).subarray(0, 8);
  expect(octets.subarray(-8)).toEqual(tag);
  const decipher = createDecipheriv('aes-128-cbc', parent.encryption, new Uint8Array(16)).setAutoPadding(false);
  return decipher.update(octets.subarray(32, 48));
}

describe('the keys of a stream', () => {
  test('the service key opens the segment key, which opens the content key that seals', () => {
    const schedule = new KeySchedule(OPTIONS);
    const [segment, content, ...none] = schedule.messages(START);
    expect(none).toEqual([]);
    const segmentKey = unwrap(segment!, OPTIONS.serviceKey);
    const pair = deriveWorkingKeys(KIND.content, 7, content!.keyId, unwrap(content!, segmentKey));
    const period = schedule.at(START);
    const block = randomBytes(16);
    expect(period.ciphers.encryption.encrypt(block)).toEqual(new AesCbc(pair.encryption).encrypt(block));
    expect(period.ciphers.mac.mac(block)).toEqual(new AesCbc(pair.mac).mac(block));
    expect(period.id).toBe(content!.keyId);
    expect(decodeContentTerms(content!.body)).toEqual({
      ...OPTIONS.terms,
      segmentId: segment!.keyId,
      masterSalt: Uint8Array.from(period.masterSalt),
    });
  });

  test('a content key holds for its period, and its message for five seconds more', () => {
    const schedule = new KeySchedule(OPTIONS);
    const first = schedule.at(START + 299);
    const second = schedule.at(START + 300);
    expect([first.from, first.to, first.message.to]).toEqual([START, START + 300, START + 305]);
    expect([second.from, second.to, second.message.from]).toEqual([START + 300, START + 600, START + 300]);
    expect(second.id).toBe(first.id + 1);
    expect(second.segment).toBe(first.segment);
  });

  test('the next content key is announced 30 seconds ahead, and stays the same', () => {
    const schedule = new KeySchedule(OPTIONS);
    expect(schedule.messages(START + 269)).toHaveLength(2);
    const ahead = schedule.messages(START + 270);
    expect(ahead).toHaveLength(3);
    expect(schedule.messages(START + 290)).toEqual(ahead);
    expect(schedule.messages(START + 300)).toEqual([ahead[0], ahead[2]]);
    expect(schedule.at(START + 300).message).toBe(ahead[2]);
  });

  test('at the end of a segment the next segment key is announced ahead too, before its content key', () => {
    const schedule = new KeySchedule({ ...OPTIONS, segment: 600 });
    schedule.at(START + 300);
    const [segment, nextSegment, content, ahead, nextContent, ...none] = schedule.messages(START + 590);
    expect(none).toEqual([]);
    expect(ahead).toMatchObject({ keyId: nextContent!.keyId, parentId: segment!.keyId, body: nextContent!.body });
    expect([segment!.kind, nextSegment!.kind]).toEqual([KIND.segment, KIND.segment]);
    expect(nextSegment!.keyId).toBe(segment!.keyId + 1);
    expect(nextSegment!.from).toBe(START + 600);
    expect(content!.parentId).toBe(segment!.keyId);
    expect(nextContent!.parentId).toBe(nextSegment!.keyId);
    expect(decodeContentTerms(nextContent!.body).segmentId).toBe(nextSegment!.keyId);
  });

  test('the same media time, or an earlier one, gives the same key', () => {
    const schedule = new KeySchedule(OPTIONS);
    const later = schedule.at(START + 400);
    expect(schedule.at(START + 400)).toBe(later);
    expect(schedule.at(START)).toBe(later);
  });

  test('after a long silence the key is that of the media time, not the next one in turn', () => {
    const schedule = new KeySchedule({ ...OPTIONS, segment: 1000 });
    const period = schedule.at(START + 12_345);
    expect(period.from).toBeLessThanOrEqual(START + 12_345);
    expect(period.to).toBeGreaterThan(START + 12_345);
    expect(period.segment.from).toBe(START + 12_000);
  });

  test('a rest of less than 20 seconds stays with the last segment', () => {
    const last = (rest: number) => {
      const end = START + 600 + rest;
      return new KeySchedule({ ...OPTIONS, segment: 600, end }).at(end - 1).segment;
    };
    expect(last(19)).toMatchObject({ from: START, to: START + 619 });
    expect(last(20)).toMatchObject({ from: START + 600, to: START + 620 });
  });

  test('there is no key after the end of the purchases', () => {
    const schedule = new KeySchedule({ ...OPTIONS, end: START + 400 });
    expect(schedule.messages(START + 399)).toHaveLength(2);
    expect(() => schedule.at(START + 400)).toThrow(expect.objectContaining({ code: 'GRANTS_ENDED' }));
  });
});

test('periods of any length have no gap, no overlap, no key over two segments, and never need a third key in the card', () => {
  const lengths = fc.record({
    period: fc.integer({ min: 20, max: 400 }),
    segment: fc.option(fc.integer({ min: 20, max: 900 }), { nil: undefined }),
    run: fc.integer({ min: 20, max: 3000 }),
  });
  fc.assert(
    fc.property(lengths, ({ period, segment, run }) => {
      const schedule = new KeySchedule({ ...OPTIONS, period, segment, end: START + run });
      let before = schedule.at(START);
      const faults: string[] = [];
      for (let time = START; time < START + run; time++) {
        const messages = schedule.messages(time);
        const now = schedule.at(time);
        const fault = (wrong: boolean, name: string) => wrong && faults.push(`${name} at ${time - START}`);
        fault(now.from > time || time >= now.to, 'a key outside its time');
        fault(now.to - now.from > period, 'a key longer than the period');
        fault(now.from < now.segment.from || now.to > now.segment.to, 'a key over two segments');
        fault(!messages.includes(now.message) || !messages.includes(now.segment.message), 'a key not announced');
        fault(now !== before && now.from !== before.to, 'a gap');
        const contents = messages.filter((message) => message.kind === KIND.content && message.keyId > now.id);
        const coming = [...new Set(contents.map(({ keyId }) => keyId))];
        // A card holds two content keys, and lets one go when media time has reached its `to`.
        fault(coming.length > 1 || (coming.length === 1 && now.from > START && now.from + 5 > time), 'a third key');
        before = now;
      }
      expect(faults).toEqual([]);
      expect(before.to).toBe(START + run);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['a period of 19 s', { period: 19 }],
  ['a period of 20.5 s', { period: 20.5 }],
  ['a segment of 19 s', { segment: 19 }],
])('refuses %s', (_name, wrong) => expect(() => new KeySchedule({ ...OPTIONS, ...wrong })).toThrow(OutOfRangeError));
