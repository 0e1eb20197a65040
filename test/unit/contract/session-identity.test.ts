import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from '../../../apdu/errors.ts';
import { formatSession, parseSession, sessionOfOrigin } from '../../../host/contract/session/session-identity.ts';

const SESSION = { user: 'finnkino', id: '457286529', address: '172.10.20.212' };

test('a session is the origin of its SDP without the version', () => {
  expect(sessionOfOrigin('finnkino 457286529 1453 172.10.20.212')).toEqual(SESSION);
  expect(sessionOfOrigin('finnkino 457286529 1454 IN IP4 172.10.20.212')).toEqual(SESSION);
});

test('a session is read as it was written', () => {
  expect(parseSession(formatSession(SESSION))).toEqual(SESSION);
});

test.each(['', 'finnkino', 'finnkino 457286529', 'finnkino x 172.10.20.212', 'finnkino 1 172.10.20.212 more', 'a 1 b'])(
  '"%s" is not a session',
  (text) => {
    expect(() => parseSession(text)).toThrow(FormatError);
  },
);

test('whatever comes is read as an origin or refused', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), (text) => {
      try {
        expect(parseSession(formatSession(sessionOfOrigin(text)))).toEqual(sessionOfOrigin(text));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
  );
});
