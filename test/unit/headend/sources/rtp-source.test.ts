import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat } from '../../../../apdu/octets.ts';
import { areRtp, RtpPayloads } from '../../../../host/headend/sources/rtp-source.ts';
import { KNOWN_FRAMES, makeMpegFrame } from '../../../support/streams/audio-frames.ts';
import { makeRtpDatagram } from '../../../support/streams/rtp-datagram.ts';
import { makeTransportStream } from '../../../support/streams/transport-stream.ts';

const TS = Uint8Array.from(makeTransportStream(Array.from({ length: 7 }, () => ({}))));

test('the header comes off, with CSRCs and padding', () => {
  const payloads = new RtpPayloads();
  expect(payloads.take(makeRtpDatagram(33, 1, TS))).toEqual(TS);
  expect(payloads.take(makeRtpDatagram(33, 2, TS, { csrcs: 3, padding: 8 }))).toEqual(TS);
});

test('of MPEG audio (payload type 14) the four octets of RFC 2250 come off too', () => {
  const payload = Uint8Array.of(0, 0, 0, 0, 1, 2, 3);
  expect(new RtpPayloads().take(makeRtpDatagram(14, 1, payload))).toEqual(Uint8Array.of(1, 2, 3));
});

test('a packet that the network doubles counts once; what is not RTP does not count', () => {
  const payloads = new RtpPayloads();
  expect(payloads.take(makeRtpDatagram(33, 0xffff, TS))).toBeDefined();
  expect(payloads.take(makeRtpDatagram(33, 0, TS))).toBeDefined();
  expect(payloads.take(makeRtpDatagram(33, 0xffff, TS))).toBeUndefined();
  expect(payloads.take(TS)).toBeUndefined();
  expect(payloads.take(new Uint8Array(5))).toBeUndefined();
  // Another stream, or the same numbers much later.
  expect(payloads.take(makeRtpDatagram(33, 0, TS, { ssrc: 7 }))).toBeDefined();
  for (let i = 1; i < 1000; i++) expect(payloads.take(makeRtpDatagram(33, i, TS))).toBeDefined();
  expect(payloads.take(makeRtpDatagram(33, 1, TS))).toBeDefined();
});

test.each([
  ['one datagram of whole TS packets under type 33', [makeRtpDatagram(33, 9, TS)], true],
  ['two in line', [makeRtpDatagram(97, 0xffff, TS), makeRtpDatagram(97, 0, TS)], true],
  [
    'one of MPEG audio under type 14',
    [makeRtpDatagram(14, 1, concat(new Uint8Array(4), makeMpegFrame(KNOWN_FRAMES[0]!)))],
    true,
  ],
  ['one of other octets under type 14', [makeRtpDatagram(14, 1, TS)], false],
  ['one of another type', [makeRtpDatagram(97, 1, TS)], false],
  ['two that do not follow each other', [makeRtpDatagram(97, 1, TS), makeRtpDatagram(97, 5, TS)], false],
  ['two of different streams', [makeRtpDatagram(97, 1, TS), makeRtpDatagram(97, 2, TS, { ssrc: 5 })], false],
  ['TS packets', [TS, TS], false],
  ['nothing', [], false],
])('%s: %#', (_name, datagrams, expected) => expect(areRtp(datagrams)).toBe(expected));

test('of any datagram nothing but its own last octets comes out', () => {
  const datagram = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .uint8Array({ minLength: 12, maxLength: 60 })
      .map((octets) => Uint8Array.of(0x80 | (octets[0]! & 0x3f), ...octets.subarray(1))),
  );
  fc.assert(
    fc.property(fc.array(datagram, { maxLength: 5 }), (datagrams) => {
      areRtp(datagrams);
      const payloads = new RtpPayloads();
      for (const octets of datagrams) {
        const payload = payloads.take(octets);
        if (payload === undefined) continue;
        expect(payload.length).toBeLessThanOrEqual(octets.length - 12);
        expect(Buffer.from(octets).includes(Buffer.from(payload))).toBe(true);
      }
    }),
  );
});
