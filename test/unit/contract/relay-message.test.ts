import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { encodeRelayMessage, parseRelayMessage, SERVICE_PORTS } from '../../../host/contract/relay/relay-message.ts';

const source = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const datagram = fc.uint8Array({ maxLength: 1500 });
const relayed = fc.record({
  port: fc.constantFrom(...SERVICE_PORTS),
  items: fc.array(fc.tuple(source, datagram), { maxLength: 20 }),
});

test('the message of the page', () => {
  const datagrams = [fromHex('80E1'), new Uint8Array()];
  const sources = [0xc000_0201_1388, 0x0a00_0001_0002];
  const message = encodeRelayMessage({ port: 'keys', datagrams, sources });
  expect(toHex(message)).toBe('02c00002011388000280e10a00000100020000');
});

test('what is encoded is parsed again', () => {
  fc.assert(
    fc.property(relayed, ({ port, items }) => {
      const sources = items.map(([from]) => from);
      const datagrams = items.map(([, octets]) => octets);
      const parsed = parseRelayMessage(encodeRelayMessage({ port, datagrams, sources }));
      expect(parsed.port).toBe(port);
      expect(parsed.sources).toEqual(sources);
      expect(parsed.datagrams.map((octets) => toHex(octets))).toEqual(datagrams.map((octets) => toHex(octets)));
    }),
  );
});

test('whatever else comes is refused as a format, and nothing outside the message is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      try {
        const { datagrams } = parseRelayMessage(octets);
        const length = datagrams.reduce((sum, one) => sum + 8 + one.length, 1);
        expect(length).toBe(octets.length);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns: 2000 },
  );
  for (const cut of ['', '03', '02C0000201138800', '02C000020113880003AABB']) {
    expect(() => parseRelayMessage(fromHex(cut))).toThrow(FormatError);
  }
});

test('a datagram that no network has is not encoded', () => {
  const datagrams = [new Uint8Array(65_536)];
  expect(() => encodeRelayMessage({ port: 'media', datagrams, sources: [0] })).toThrow(OutOfRangeError);
});
