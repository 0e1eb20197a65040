import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../../apdu/errors.ts';
import { type Answer, formatAnswer, OUTCOMES, parseAnswer } from '../../../host/contract/answers/answer.ts';
import {
  detailsOf,
  isProblemCode,
  makeProblem,
  parseProblem,
  PROBLEMS,
} from '../../../host/contract/answers/problem.ts';
import { currencyByCode } from '../../../host/money/currency.ts';
import { NOW } from '../../support/headend/sample-offer.ts';

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const octetsOf = (answer: Answer): Uint8Array => new TextEncoder().encode(formatAnswer(answer));
const ANSWER: Answer = {
  requestId: '0011223344556677',
  outcome: 'left',
  service: 7,
  from: NOW,
  to: NOW + 1800,
  messages: [new Uint8Array(96).fill(200), new Uint8Array(255)],
  charge: { seconds: 1800, amount: 2_500_000n, currency: currencyByCode('USD') },
};

describe('an answer', () => {
  test('is read as it was written', () => {
    expect(parseAnswer(octetsOf(ANSWER))).toEqual(ANSWER);
    const { outcome, service, from, to, messages } = ANSWER;
    const bare = { outcome, service, from, to, messages };
    expect(parseAnswer(octetsOf(bare))).toEqual(bare);
  });

  test('is read as it was written, whatever is in it', () => {
    const answer = fc.record({
      outcome: fc.constantFrom(...OUTCOMES),
      messages: fc.array(fc.uint8Array({ minLength: 1, maxLength: 255 }), { maxLength: 5 }),
      deadline: fc.nat(),
      keysUntil: fc.nat(),
    });
    fc.assert(
      fc.property(answer, (changes) => {
        expect(parseAnswer(octetsOf({ ...ANSWER, ...changes }))).toEqual({ ...ANSWER, ...changes });
      }),
    );
  });

  test.each<[string, unknown]>([
    ['requestId', '00'],
    ['outcome', 'refused'],
    ['service', 0],
    ['to', -1],
    ['keysUntil', -1],
    ['messages', ['not base64!']],
    ['messages', ['']],
    ['messages', [Buffer.alloc(256).toString('base64')]],
    ['messages', Array.from({ length: 161 }, () => 'AAAA')],
    ['charge', { seconds: 1, amount: 1 }],
    ['discount', 1],
  ])('is refused when its %s is %j', (name, value) => {
    const fields = JSON.parse(formatAnswer(ANSWER)) as object;
    expect(() => parseAnswer(encode({ ...fields, [name]: value }))).toThrow(FormatError);
  });

  test('never ends its reader otherwise than by a FormatError', () => {
    const refuses = (octets: Uint8Array): void => {
      try {
        parseAnswer(octets);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), refuses));
    fc.assert(fc.property(fc.json(), (text) => refuses(new TextEncoder().encode(text))));
  });
});

describe('a problem', () => {
  test.each(Object.keys(PROBLEMS).filter(isProblemCode))('%s says what happened and what to do next', (code) => {
    const problem = makeProblem(code, { particulars: 'card 0a1b2c-01-00000007', now: NOW });
    const details = detailsOf(problem);
    expect(parseProblem(encode({ ...details, instance: '/v1/requests' }))).toEqual(problem);
    expect(details.type).toBe(`urn:tollcast:problem:${code}`);
    expect(details.detail).toMatch(/^.+ \(card 0a1b2c-01-00000007\); .+\.$/);
    expect(details.status).toBeGreaterThanOrEqual(400);
  });

  test('of an unknown type is refused', () => {
    expect(() => parseProblem(encode({ type: 'about:blank', detail: 'x' }))).toThrow(FormatError);
  });
});
