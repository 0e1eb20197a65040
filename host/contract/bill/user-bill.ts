import { JsonObject, parseJsonObject, readPattern } from '../json-object.ts';

const DISPUTE_STATES = ['open', 'upheld', 'rejected'] as const;

/** One thing that was charged, paid or given back. */
export interface UserBillLine {
  /** Number of its ledger entry. */
  readonly entry: number;
  readonly kind: string;
  /** Seconds since 1970. */
  readonly at: number;
  /** With its currency; below 0 for what was paid or given back. */
  readonly amount: string;
  /** Where the last dispute of it stands. */
  readonly dispute?: (typeof DISPUTE_STATES)[number];
}

/** What a user owes now, and what it came from. */
export interface UserBill {
  readonly user: string;
  /** With their currencies; none where nothing was ever owed. */
  readonly owed: readonly string[];
  /** The newest first. */
  readonly lines: readonly UserBillLine[];
}

/** Lines that a bill shows. */
export const MAX_BILL_LINES = 50;
/** Octets of a bill. */
const MAX_BILL = 65_536;
/** Currencies that somebody may owe in. */
const MAX_CURRENCIES = 20;
const MAX_USER = 100;
const MAX_KIND = 20;
const MAX_U32 = 2 ** 32 - 1;
const AMOUNT = /^-?\d{1,20}(?:\.\d{1,6})? [A-Z]{3}$/;

/** @throws FormatError when it is not one of this version. */
export function parseUserBill(octets: Uint8Array): UserBill {
  const json = parseJsonObject('bill', octets, MAX_BILL);
  const bill = {
    user: json.text('user', MAX_USER),
    owed: json.list('owed', 0, MAX_CURRENCIES, (value, path) => readPattern(value, path, AMOUNT, 'an amount')),
    lines: json.list('lines', 0, MAX_BILL_LINES, readLine),
  };
  json.end();
  return bill;
}

function readLine(value: unknown, path: string): UserBillLine {
  const json = new JsonObject(path, value);
  const line = {
    entry: json.number('entry', 1, Number.MAX_SAFE_INTEGER),
    kind: json.text('kind', MAX_KIND),
    at: json.number('at', 0, MAX_U32),
    amount: json.pattern('amount', AMOUNT, 'an amount'),
    ...(json.has('dispute') && { dispute: json.oneOf('dispute', DISPUTE_STATES) }),
  };
  json.end();
  return line;
}
