import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detectTsFormat, PCR_MODULUS, readPcr } from '../../../../host/headend/sources/ts/ts-packet.ts';
import { makeTransportStream } from '../../../support/streams/transport-stream.ts';

describe('PCR', () => {
  test('is read as it was written', () => {
    const pcr = fc.record({
      pid: fc.integer({ min: 0, max: 0x1fff }),
      pcr: fc.integer({ min: 0, max: PCR_MODULUS - 1 }),
      discontinuity: fc.boolean(),
    });
    fc.assert(
      fc.property(pcr, (plan) => {
        const { pcr: ticks, ...rest } = plan;
        expect(readPcr(makeTransportStream([{}, plan]), 188)).toEqual({ ...rest, ticks });
      }),
    );
  });

  test('is not found in a packet without one', () => {
    expect(readPcr(makeTransportStream([{}]), 0)).toBeUndefined();
    const short = makeTransportStream([{ pcr: 5 }]);
    short[4] = 1;
    expect(readPcr(short, 0)).toBeUndefined();
  });
});

describe('a transport stream is told', () => {
  const stream = makeTransportStream(Array.from({ length: 8 }, () => ({})));

  test.each([
    ['from its start', stream, true],
    ['with its first packet cut', stream.subarray(100), true],
    ['of one packet', stream.subarray(0, 188), true],
    ['of one packet and a half', stream.subarray(0, 282), true],
    ['from random octets', randomBytes(2000), false],
    ['from text', new TextEncoder().encode('Good evening. '.repeat(200)), false],
    ['from text with a G in front', new TextEncoder().encode('Good'), false],
    ['from nothing', new Uint8Array(0), false],
  ])('%s', (_name, octets, expected) => expect(detectTsFormat(octets, 187)).toBe(expected ? 'ts' : undefined));
});
