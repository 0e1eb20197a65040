import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import {
  encodeFrames,
  FRAME_LENGTH,
  isTokenChannel,
  MAX_MESSAGE,
  TOKEN_ERROR,
  TOKEN_TAG,
} from '../../../apdu/token/frame.ts';
import { type FrameOutcome, MessageReader } from '../../../apdu/token/message-reader.ts';
import { REPORT_DESCRIPTOR } from '../../../card-sim/token/report-descriptor.ts';
import vectors from '../../vectors/token-frames.json' with { type: 'json' };

const channels = fc.integer({ min: 1, max: 0xfffe });
const messages = fc.record({
  channel: channels,
  tag: fc.integer({ min: 0, max: 255 }),
  data: fc.uint8Array({ maxLength: 700 }),
});

test('tags, errors and report descriptor are those of the page', () => {
  const page = readFileSync(new URL('../../../firmware-notes/tokens.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| (0[1-8]) \| ([A-Z_]+) \|/gm)].map(([, code, name]) => [
    name,
    parseInt(code!, 16),
  ]);
  expect(Object.fromEntries(rows)).toEqual({ ...TOKEN_TAG, ...TOKEN_ERROR });
  const [, descriptor = ''] = /```\n(06 00 FF[\s\S]*?)```/.exec(page) ?? [];
  expect(toHex(REPORT_DESCRIPTOR)).toBe(descriptor.replaceAll(/\s/g, '').toLowerCase());
});

test.each(vectors.messages)('$name, cut into frames and put together', ({ channel, tag, data, frames }) => {
  expect(encodeFrames({ channel, tag, data: fromHex(data) }).map(toHex)).toEqual(frames);
  const reader = new MessageReader();
  const outcomes = frames.map((frame) => describe(reader.accept(fromHex(frame))));
  expect(outcomes).toEqual([...frames.slice(1).map(() => undefined), { message: { channel, tag, data } }]);
});

test.each(vectors.received)('what comes: $name', ({ maxLength, frames }) => {
  const reader = new MessageReader(maxLength);
  for (const { frame, outcome } of frames as readonly { frame: string; outcome?: unknown }[]) {
    expect(describe(reader.accept(fromHex(frame)))).toEqual(outcome);
  }
});

test('the longest message there is', () => {
  const data = new Uint8Array(MAX_MESSAGE).map((_, i) => i);
  const frames = encodeFrames({ channel: 1, tag: 5, data });
  expect(frames).toHaveLength(1111);
  const reader = new MessageReader();
  const outcome = frames.map((frame) => reader.accept(frame)).at(-1);
  expect(outcome).toEqual({ message: { channel: 1, tag: 5, data } });
  expect(() => encodeFrames({ channel: 1, tag: 5, data: new Uint8Array(MAX_MESSAGE + 1) })).toThrow(/65535 octets/);
});

test.each([0, 0xffff, -1, 70_000])('channel %i is nobody’s', (channel) => {
  expect(() => encodeFrames({ channel, tag: 5, data: new Uint8Array() })).toThrow(/channel/);
});

test('whatever came before, a whole message comes through', () => {
  const noise = fc.array(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ minLength: 64, maxLength: 64 })), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(noise, messages, (before, message) => {
      const reader = new MessageReader();
      for (const octets of before) reader.accept(octets);
      const outcomes = encodeFrames(message).map((frame) => reader.accept(frame));
      expect(outcomes.at(-1)).toEqual({ message });
      expect(outcomes.slice(0, -1).every((outcome) => outcome === undefined)).toBe(true);
    }),
  );
});

test('frames lost, doubled or out of order never mix messages of two channels', () => {
  const faults = fc.array(fc.tuple(fc.nat(30), fc.constantFrom('lose', 'double', 'swap')), { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.uniqueArray(messages, { selector: ({ channel }) => channel, minLength: 1, maxLength: 3 }),
      faults,
      (sent, changes) => {
        const frames = sent.flatMap((message) => encodeFrames(message));
        for (const [place, fault] of changes) {
          const at = place % Math.max(1, frames.length);
          const [frame] = frames.splice(at, 1);
          if (frame === undefined || fault === 'lose') continue;
          if (fault === 'double') frames.splice(at, 0, frame, frame);
          else frames.splice(at + 1, 0, frame);
        }
        const reader = new MessageReader();
        const allowed = new Set(sent.map((message) => JSON.stringify(describe({ message }))));
        for (const frame of frames) {
          const outcome = reader.accept(frame);
          if (outcome !== undefined && 'message' in outcome)
            expect(allowed).toContain(JSON.stringify(describe(outcome)));
        }
      },
    ),
  );
});

test('nothing longer than agreed is kept, whatever comes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: FRAME_LENGTH, maxLength: FRAME_LENGTH })), (frames) => {
      const reader = new MessageReader(100);
      for (const frame of frames) {
        const outcome = reader.accept(frame);
        if (outcome === undefined) continue;
        if ('message' in outcome) expect(outcome.message.data.length).toBeLessThanOrEqual(100);
        else expect(isTokenChannel(outcome.channel)).toBe(true);
      }
    }),
  );
});

function describe(outcome: FrameOutcome | undefined): unknown {
  if (outcome === undefined || 'error' in outcome) return outcome;
  return { message: { ...outcome.message, data: toHex(outcome.message.data) } };
}
