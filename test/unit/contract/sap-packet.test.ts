import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../../apdu/errors.ts';
import { findOfferHint, parseOfferHint } from '../../../host/contract/announcement/offer-hint.ts';
import { encodeSapPacket, parseSapPacket } from '../../../host/contract/announcement/sap-packet.ts';

const SOURCE = Uint8Array.of(192, 0, 2, 1);
const PACKET = { isDeletion: false, hash: 0x1234, source: SOURCE, sdp: 'v=0\r\n' };

describe('an announcement', () => {
  test('has the octets of RFC 2974', () => {
    const octets = encodeSapPacket(PACKET);
    expect(Buffer.from(octets).toString('latin1')).toBe('\x20\0\x12\x34\xc0\0\x02\x01application/sdp\0v=0\r\n');
    expect(encodeSapPacket({ ...PACKET, isDeletion: true })[0]).toBe(0x24);
  });

  test('comes back as it was', () => {
    expect(parseSapPacket(encodeSapPacket(PACKET))).toEqual(PACKET);
  });

  test('is read without its media type, and with authentication that nobody checks', () => {
    const [head, text] = [Buffer.from('2001abcdc000020100000000', 'hex'), Buffer.from('v=0\r\n')];
    expect(parseSapPacket(Buffer.concat([head, text]))).toMatchObject({ hash: 0xabcd, sdp: 'v=0\r\n' });
  });

  test('of more than 1,024 octets is not sent', () => {
    expect(() => encodeSapPacket({ ...PACKET, sdp: `v=0\r\n${'x'.repeat(1024)}` })).toThrow('at most 1024 octets');
  });

  test.each([
    ['another version', '40'],
    ['IPv6', '30'],
    ['encryption', '22'],
    ['compression', '21'],
  ])('with %s is refused', (_what, flags) => {
    const octets = Buffer.from(encodeSapPacket(PACKET));
    octets[0] = Number.parseInt(flags, 16);
    expect(() => parseSapPacket(octets)).toThrow(FormatError);
  });

  test('of any octets is read or refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1100 }), (octets) => {
        try {
          parseSapPacket(octets);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});

test('what does not say where an offer is, is refused', () => {
  const hint = `${'ab'.repeat(20)} https://tv.example:8443 ${'cd'.repeat(32)}`;
  expect(parseOfferHint(hint)).toEqual({
    id: 'ab'.repeat(20),
    url: 'https://tv.example:8443',
    tlsKey: 'cd'.repeat(32),
  });
  for (const wrong of ['', hint.replace('https', 'http'), `${hint} more`, hint.replace('ab', 'AB')]) {
    expect(() => parseOfferHint(wrong)).toThrow(FormatError);
  }
  expect(findOfferHint(`v=0\r\ns=x\r\na=x-tollcast-offer:${hint}\r\n`)).toMatchObject({ id: 'ab'.repeat(20) });
  for (const sdp of ['v=0\r\n', `v=0\r\ns=a=x-tollcast-offer:${hint}\r\n`]) {
    expect(() => findOfferHint(sdp)).toThrow(FormatError);
  }
});
