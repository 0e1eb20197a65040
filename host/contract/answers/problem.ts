import { parseJsonObject } from '../json-object.ts';

/** A kind of refusal. */
interface ProblemEntry {
  /** HTTP status. */
  readonly status: number;
  /** What happened, without the particulars. */
  readonly title: string;
  /** What to do next. */
  readonly advice: string;
  /** Whether the same request may be answered later: this answer to it is not kept. */
  readonly mayPass?: true;
}

/** Why a request is refused (RFC 9457); `firmware-notes/head-end.md`. */
const CATALOGUE = {
  malformed: {
    status: 400,
    title: 'This is not a request, a confirm or a leave record of this version',
    advice: 'send the octets as the card signed them, and nothing else',
  },
  'foreign-issuer': {
    status: 403,
    title: 'The card is of an issuer that this head-end does not serve',
    advice: 'ask the operator which cards it serves',
  },
  'wrong-signature': {
    status: 403,
    title: "The card's signature is wrong",
    advice: 'have the card sign it anew; if that is refused too, ask the issuer',
  },
  'unknown-card': {
    status: 403,
    title: 'The issuer does not know this card',
    advice: 'ask the issuer whether it made this card, or use another one',
    mayPass: true,
  },
  'blocked-card': {
    status: 403,
    title: 'The card is blocked here',
    advice: 'ask the operator why',
    mayPass: true,
  },
  'class-refused': {
    status: 403,
    title: 'The session is not for modules of this class',
    advice: 'use a module of a class that the offer names',
  },
  replayed: {
    status: 409,
    title: 'The request id was used before, for another request',
    advice: 'make a new request id at random, and sign again',
  },
  skewed: {
    status: 400,
    title: 'The time of the request is too far from the present',
    advice: 'set the clock by the time told here, and sign a new request',
    mayPass: true,
  },
  'wrong-time': {
    status: 400,
    title: 'The times of the request cannot be asked for',
    advice: 'ask for an end that comes after the start, and count slots only where the offer sells them',
  },
  'over-quota': {
    status: 429,
    title: 'The card has sent too many requests',
    advice: 'wait a while, and send the same request again',
    mayPass: true,
  },
  'confirm-first': {
    status: 429,
    title: 'Too many keys of this card are not confirmed',
    advice: 'load the keys that came before, and send their confirms',
    mayPass: true,
  },
  'unknown-offer': {
    status: 404,
    title: 'No offer with this session hash is open',
    advice: 'fetch the offer anew, show its price, and ask under that',
    mayPass: true,
  },
  'not-joined': {
    status: 409,
    title: 'The card has no join of this session',
    advice: 'join first',
  },
  'too-late': {
    status: 409,
    title: 'The join has ended',
    advice: 'join anew',
  },
  'not-later': {
    status: 409,
    title: 'An extension begins at the agreed end, and ends later',
    advice: 'begin at the end that the last answer told',
  },
  'not-earlier': {
    status: 409,
    title: 'A leave names an end before the agreed one',
    advice: 'wait for the agreed end, or name an earlier one',
  },
  'no-billing': {
    status: 404,
    title: 'This head-end takes no receipts',
    advice: 'send them to the issuer of the card, by file: tollcast card send-receipts',
    mayPass: true,
  },
  'receipts-missing': {
    status: 409,
    title: 'Receipts before these are missing here',
    advice: 'send those after the last one that is told here, as far as the card has them; else ask its issuer',
    mayPass: true,
  },
  'receipts-disagree': {
    status: 409,
    title: 'A receipt does not follow from those before it',
    advice: 'keep the card, and ask its issuer',
  },
  'no-loads': {
    status: 404,
    title: 'This head-end loads no cards',
    advice: 'ask the issuer of the card for a load: tollcast card request-load',
    mayPass: true,
  },
  'nothing-paid': {
    status: 409,
    title: 'Nothing is paid for this card that it has not',
    advice: 'pay at the operator, or give the code of a voucher',
    mayPass: true,
  },
  'wrong-voucher': {
    status: 403,
    title: 'There is no such voucher, or it was used for another card',
    advice: 'check each letter of the code',
  },
  'wrong-currency': {
    status: 409,
    title: 'What was paid is in another currency than the card',
    advice: 'have it changed by the operator',
  },
  'over-maximum': {
    status: 409,
    title: 'The card may not hold so much',
    advice: 'spend some of it, and ask again: it stays yours',
    mayPass: true,
  },
  'receipts-first': {
    status: 409,
    title: 'A soft module gets credit against its receipts alone',
    advice: 'deliver them, and ask again: tollcast card deliver-receipts',
    mayPass: true,
  },
  'stale-request': {
    status: 409,
    title: 'The card has proved more since it made this request',
    advice: 'have the card make a new one',
    mayPass: true,
  },
  'load-refused': {
    status: 409,
    title: 'The issuer does not load this card',
    advice: 'ask the issuer of the card',
    mayPass: true,
  },
  unavailable: {
    status: 503,
    title: 'The request cannot be answered now',
    advice: 'send the same request again after a while',
    mayPass: true,
  },
} as const satisfies Record<string, ProblemEntry>;

export type ProblemCode = keyof typeof CATALOGUE;

/** The catalogue, for tables and schemas. */
export const PROBLEMS: Readonly<Record<ProblemCode, ProblemEntry>> = CATALOGUE;

/** Why a request was refused. */
export interface Problem {
  readonly code: ProblemCode;
  /** What happened and what to do next, for people. */
  readonly detail: string;
  /** The head-end's clock, seconds since 1970. */
  readonly now?: number;
  /** Number of the last receipt of the card that the head-end has. */
  readonly last?: number;
}

/** The members of problem details (RFC 9457 3.1), and the head-end's `now` and `last`. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly now?: number;
  readonly last?: number;
}

const TYPE = 'urn:tollcast:problem:';
/** Octets of problem details. */
const MAX_PROBLEM = 4096;

export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(CATALOGUE, text);
}

/** Makes a problem. */
export function makeProblem(
  code: ProblemCode,
  { particulars, ...told }: { readonly particulars?: string } & Pick<Problem, 'now' | 'last'> = {},
): Problem {
  const { title, advice } = PROBLEMS[code];
  const detail = `${title}${particulars === undefined ? '' : ` (${particulars})`}; ${advice}.`;
  return { code, detail, ...told };
}

/** What is sent as `application/problem+json`. */
export function detailsOf({ code, detail, ...told }: Problem): ProblemDetails {
  const { title, status } = PROBLEMS[code];
  return { type: `${TYPE}${code}`, title, status, detail, ...told };
}

/**
 * Reads problem details. Members that this version does not know are left alone (RFC 9457 3.2).
 * @throws FormatError when they are not of a problem that this version knows.
 */
export function parseProblem(octets: Uint8Array): Problem {
  const json = parseJsonObject('problem', octets, MAX_PROBLEM);
  const codes = Object.keys(PROBLEMS).filter(isProblemCode);
  const type = json.oneOf(
    'type',
    codes.map((code) => `${TYPE}${code}`),
  );
  return {
    code: codes.find((code) => type === `${TYPE}${code}`)!,
    detail: json.text('detail', 1000),
    ...(json.has('now') && { now: json.number('now', 0, 2 ** 32 - 1) }),
    ...(json.has('last') && { last: json.number('last', 0, 2 ** 32 - 1) }),
  };
}
