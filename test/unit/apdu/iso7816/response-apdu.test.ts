import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { encodeResponse, parseResponse } from '../../../../apdu/iso7816/response-apdu.ts';
import { assertStatusOk, describeStatus, StatusWordError } from '../../../../apdu/iso7816/status-word.ts';
import { fromHex } from '../../../../apdu/octets.ts';

const anyStatus = fc.integer({ min: 0, max: 0xffff });

test('what was written is read back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), anyStatus, (data, status) => {
      expect(parseResponse(encodeResponse(data, status))).toEqual({ data, status });
    }),
  );
});

test('answers without a status word and answers too long are refused', () => {
  expect(() => parseResponse(new Uint8Array())).toThrow(FormatError);
  expect(() => parseResponse(Uint8Array.of(0x90))).toThrow(FormatError);
  expect(() => parseResponse(new Uint8Array(65_539))).toThrow(FormatError);
  expect(() => encodeResponse(new Uint8Array(65_537), 0x9000)).toThrow(OutOfRangeError);
  expect(() => encodeResponse(fromHex(''), 0x10000)).toThrow(OutOfRangeError);
});

test('every status word has a text and an advice, each on one line', () => {
  fc.assert(
    fc.property(anyStatus, (status) => {
      const { text, advice } = describeStatus(status);
      expect(`${text}; ${advice}`).toMatch(/^[^\n]{10,160}$/);
    }),
    { numRuns: 2_000 },
  );
});

test('words that carry a number say it', () => {
  expect(describeStatus(0x6110).text).toBe('16 octets of answer wait');
  expect(describeStatus(0x6c00).advice).toContain('Le 256');
  expect(describeStatus(0x63c2).text).toContain('2 tries are left');
  expect(describeStatus(0x63c1).text).toContain('1 try is left');
  expect(describeStatus(0x63c0).text).toContain('no try');
});

test('the error carries the word, a stable code, and what the application knows of it', () => {
  const own = (status: number) => (status === 0x9484 ? { text: 'own text', advice: 'own advice' } : undefined);
  expect(() => assertStatusOk(0x9000, 'SELECT')).not.toThrow();
  const error = new StatusWordError(0x9484, 'DECODE', own);
  expect(error).toMatchObject({ status: 0x9484, code: 'SW_9484' });
  expect(error.message).toBe('the card answered 9484 to DECODE: own text; own advice');
  expect(() => assertStatusOk(0x6a82, 'SELECT', own)).toThrow('6A82 to SELECT: application or file not found');
});
