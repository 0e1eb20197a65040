import fc from 'fast-check';
import { packets } from 'rtp.js';
import { expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { readLeavingStreams } from '../../../../host/stream/packet/rtcp-bye.ts';
import { encodeGoodbye } from '../../../../host/stream/packet/rtcp-goodbye.ts';

const LEAVING = { now: 0, timestamp: 0, packets: 0, octets: 0, cname: 'x' };

test('finds the stream of our own goodbye', () => {
  expect(readLeavingStreams(encodeGoodbye({ ...LEAVING, ssrc: 0xfedcba98 }))).toEqual([0xfedcba98]);
});

test('finds the streams of a BYE of rtp.js, with a reason, among other packets', () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(fc.array(u32, { minLength: 1, maxLength: 31 }), fc.string({ maxLength: 20 }), (ssrcs, reason) => {
      const made = new packets.ByePacket();
      made.setSsrcs(ssrcs);
      made.setReason(reason);
      if (made.needsSerialization()) made.serialize();
      made.padTo4Bytes();
      if (made.needsSerialization()) made.serialize();
      const view = made.getView();
      const bye = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      expect(readLeavingStreams(bye)).toEqual(ssrcs);
      expect(readLeavingStreams(concat(encodeGoodbye({ ...LEAVING, ssrc: 6 }), bye))).toEqual([6, ...ssrcs]);
    }),
  );
});

test('a damaged packet ends no stream', () => {
  const whole = encodeGoodbye({ ...LEAVING, ssrc: 8 });
  for (let cut = 0; cut < whole.length; cut++) {
    // Cut between two packets it is a whole one that says nothing of leaving.
    expect(readLeavingStreams(whole.subarray(0, cut))).toEqual([]);
  }
  const few = whole.slice();
  few[few.length - 8] = 0x80 | 31;
  expect(readLeavingStreams(few)).toEqual([]);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => Array.isArray(readLeavingStreams(octets))));
});
