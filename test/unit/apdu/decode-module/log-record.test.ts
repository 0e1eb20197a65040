import { expect, test } from 'vitest';
import { parseLogRecord } from '../../../../apdu/decode-module/money/log-record.ts';
import { FormatError } from '../../../../apdu/errors.ts';

/** Every octet says where it stands, but for the reserved ones. */
const RECORD = Uint8Array.from({ length: 176 }, (_, at) => (at > 168 ? 0 : at));

/** The octets from `at` on as one number. */
function standing(at: number, size: number): number {
  return Array.from({ length: size }, (_, i) => at + i).reduce((value, octet) => value * 256 + octet, 0);
}

/** firmware-notes/protocol.md 7.2. */
test('every field of a purse record is read where the page has it', () => {
  expect(parseLogRecord(RECORD)).toEqual({
    sequence: standing(0, 4),
    loaded: BigInt(standing(4, 6)),
    spent: BigInt(standing(10, 6)),
    torn: BigInt(standing(16, 6)),
    loadNumber: standing(22, 4),
    loadId: RECORD.slice(26, 34),
    loadAmount: BigInt(standing(34, 6)),
    limitLoaded: false,
    session: standing(40, 4),
    service: standing(44, 4),
    taken: BigInt(standing(48, 6)),
    usedAtTake: (BigInt(standing(54, 4)) << 32n) | BigInt(standing(58, 4)),
    openTotals: {
      octets: standing(62, 6),
      duration: standing(68, 6),
      groups: standing(74, 4),
      firstSegment: standing(78, 4),
      lastSegment: standing(82, 4),
      from: standing(86, 4),
      to: standing(90, 4),
    },
    lastFlatService: standing(94, 4),
    lastFlatSegment: standing(98, 4),
    day: standing(102, 2),
    spentOfDay: BigInt(standing(104, 6)),
    receiptsWritten: standing(110, 4),
    receiptsAcknowledged: standing(114, 4),
    unacknowledged: BigInt(standing(118, 6)),
    marks: [124, 132, 140, 148].map((at) => ({ ssrc: standing(at, 4), group: standing(at + 4, 4) })),
    creditLimit: BigInt(standing(156, 6)),
    spendLimit: BigInt(standing(162, 6)),
  });
  const withLimit = RECORD.map((octet, at) => (at === 168 ? 1 : octet));
  expect(parseLogRecord(withLimit).limitLoaded).toBe(true);
  expect(() => parseLogRecord(RECORD.subarray(1))).toThrow(FormatError);
  expect(() => parseLogRecord(RECORD.with(175, 1))).toThrow(FormatError);
});
