import fc from 'fast-check';
import { packets } from 'rtp.js';
import { expect, test } from 'vitest';
import { encodeGoodbye } from '../../../../host/stream/packet/rtcp-goodbye.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });

/** RFC 3550 6.5.1. */
const CNAME = 1;

test('rtp.js reads sender report, source description and BYE', () => {
  const leaving = fc.record({
    ssrc: u32,
    now: fc.integer({ min: 0, max: 4e12 }),
    timestamp: u32,
    packets: u32,
    octets: u32,
    cname: fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom('a', 'Z', '0', '9', '+', '/', '=') }),
  });
  fc.assert(
    fc.property(leaving, (said) => {
      const octets = encodeGoodbye(said);
      expect(octets.length % 4).toBe(0);
      const compound = new packets.CompoundPacket(new DataView(octets.buffer));
      expect(compound.getPackets()).toHaveLength(3);
      const [report, description, bye] = compound.getPackets();
      expect(report).toBeInstanceOf(packets.SenderReportPacket);
      expect(description).toBeInstanceOf(packets.SdesPacket);
      expect(bye).toBeInstanceOf(packets.ByePacket);
      const sender = report as packets.SenderReportPacket;
      expect({
        ssrc: sender.getSsrc(),
        timestamp: sender.getRtpTimestamp(),
        packets: sender.getPacketCount(),
        octets: sender.getOctetCount(),
      }).toEqual({ ssrc: said.ssrc, timestamp: said.timestamp, packets: said.packets, octets: said.octets });
      // RFC 5905 6: seconds since 1900, then fractions of 2^-32 s.
      const seconds = sender.getNtpSeconds() - 2_208_988_800 + (said.now >= 2_085_978_496_000 ? 2 ** 32 : 0);
      expect(seconds * 1000 + (sender.getNtpFraction() / 2 ** 32) * 1000).toBeCloseTo(said.now, 2);
      const [chunk] = (description as packets.SdesPacket).getChunks();
      expect(chunk!.getSsrc()).toBe(said.ssrc);
      expect(chunk!.getItems()).toEqual([{ type: CNAME, text: said.cname }]);
      expect((bye as packets.ByePacket).getSsrcs()).toEqual([said.ssrc]);
    }),
  );
});
