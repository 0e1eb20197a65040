import fc from 'fast-check';
import { packets } from 'rtp.js';
import { describe, expect, test } from 'vitest';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { MAX_GROUP_NUMBER, readMki, writeMki } from '../../../../host/stream/packet/mki.ts';
import { parseRtpHeader, readRtpPayload, writeRtpHeader } from '../../../../host/stream/packet/rtp-packet.ts';

const fields = fc.record({
  marker: fc.boolean(),
  payloadType: fc.integer({ min: 0, max: 127 }),
  sequence: fc.integer({ min: 0, max: 0xffff }),
  timestamp: fc.integer({ min: 0, max: 0xffffffff }),
  ssrc: fc.integer({ min: 0, max: 0xffffffff }),
});

describe('RTP header', () => {
  test('rtp.js reads what we write', () => {
    fc.assert(
      fc.property(fields, fc.uint8Array({ maxLength: 64 }), (header, payload) => {
        const packet = new Uint8Array(12 + payload.length);
        writeRtpHeader(packet, header);
        packet.set(payload, 12);
        const read = new packets.RtpPacket(new DataView(packet.buffer));
        expect({
          marker: read.getMarker(),
          payloadType: read.getPayloadType(),
          sequence: read.getSequenceNumber(),
          timestamp: read.getTimestamp(),
          ssrc: read.getSsrc(),
        }).toEqual(header);
        expect(parseRtpHeader(packet)).toEqual({ ...header, length: 12, padding: false });
      }),
    );
  });

  test('we read what rtp.js writes, with CSRCs, extension and padding', () => {
    const csrcs = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 15 });
    const extension = fc.option(fc.uint8Array({ minLength: 1, maxLength: 16 }), { nil: undefined });
    const payload = fc.uint8Array({ minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(fields, csrcs, extension, payload, fc.boolean(), (header, sources, value, content, padded) => {
        const made = new packets.RtpPacket();
        made.setMarker(header.marker);
        made.setPayloadType(header.payloadType);
        made.setSequenceNumber(header.sequence);
        made.setTimestamp(header.timestamp);
        made.setSsrc(header.ssrc);
        made.setCsrcs(sources);
        if (value !== undefined) {
          made.enableOneByteExtensions();
          made.setExtension(1, new DataView(value.buffer, value.byteOffset, value.byteLength));
        }
        made.setPayload(new DataView(content.buffer, content.byteOffset, content.byteLength));
        if (padded) made.padTo4Bytes();
        const octets = new Uint8Array(made.getByteLength());
        made.serialize(octets.buffer);
        const read = parseRtpHeader(octets);
        expect(read).toMatchObject(header);
        expect(Uint8Array.from(readRtpPayload(octets, read))).toEqual(content);
      }),
    );
  });

  test.each([
    ['nothing', ''],
    ['11 octets', '8021000100000000000000'],
    ['version 1', '402100010000000000000002'],
    ['a CSRC missing', '812100010000000000000002'],
    ['an extension missing', '902100010000000000000002'],
    ['an extension cut short', '9021000100000000000000021234000200000000'],
  ])('refuses %s', (_name, hex) => expect(() => parseRtpHeader(fromHex(hex))).toThrow(FormatError));

  test.each([
    ['no octets', 'a02100010000000000000002'],
    ['a length of 0', 'a0210001000000000000000200'],
    ['more than there is', 'a0210001000000000000000203'],
  ])('refuses padding with %s', (_name, hex) => {
    const packet = fromHex(hex);
    expect(() => readRtpPayload(packet, parseRtpHeader(packet))).toThrow(FormatError);
  });

  test('any octets give a header within the packet or a FormatError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (random, version2) => {
        const packet = version2 ? Uint8Array.of(0x80 | ((random[0] ?? 0) & 0x3f), ...random) : random;
        try {
          const header = parseRtpHeader(packet);
          expect(header.length).toBeLessThanOrEqual(packet.length);
          expect(readRtpPayload(packet, header).length).toBeLessThanOrEqual(packet.length - header.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });

  test('refuses to write a payload type of 128', () => {
    const header = { marker: false, payloadType: 128, sequence: 0, timestamp: 0, ssrc: 0 };
    expect(() => writeRtpHeader(new Uint8Array(12), header)).toThrow(OutOfRangeError);
  });
});

describe('MKI', () => {
  test('comes back as written', () => {
    const mki = fc.record({ cardPacket: fc.boolean(), group: fc.integer({ min: 1, max: MAX_GROUP_NUMBER }) });
    fc.assert(
      fc.property(mki, fc.uint8Array({ maxLength: 20 }), (written, before) => {
        const packet = new Uint8Array(before.length + 4);
        packet.set(before);
        writeMki(packet, before.length, written);
        expect(readMki(packet)).toEqual(written);
      }),
    );
  });

  test('has the card bit on top', () => {
    const packet = new Uint8Array(4);
    writeMki(packet, 0, { cardPacket: true, group: 5 });
    expect(packet).toEqual(fromHex('80000005'));
  });

  test.each(['', '000001', '00000000', '80000000'])('refuses to read "%s"', (hex) =>
    expect(() => readMki(fromHex(hex))).toThrow(FormatError),
  );

  test.each([0, MAX_GROUP_NUMBER + 1])('refuses to write group %d', (group) =>
    expect(() => writeMki(new Uint8Array(4), 0, { cardPacket: false, group })).toThrow(OutOfRangeError),
  );
});
