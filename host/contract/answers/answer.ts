import { currencyByCode, type Currency } from '../../money/currency.ts';
import { type JsonObject, parseJsonObject, readPattern, trouble } from '../json-object.ts';

/** What became of a request, a confirm or a leave record. */
export const OUTCOMES = ['joined', 'extended', 'left', 'keys', 'stayed', 'confirmed'] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** What a join came to so far. */
export interface Charge {
  /** Of connection time. */
  readonly seconds: number;
  /** Micro-units; 0 where nothing is billed, as the card pays or it is free. */
  readonly amount: bigint;
  /** Left out where it is free. */
  readonly currency?: Currency;
}

/** The head-end's answer. The same request gets the same answer. */
export interface Answer {
  /** Of the request, 16 hexadecimal digits; a confirm and a leave record have none. */
  readonly requestId?: string;
  readonly outcome: Outcome;
  /** u32. */
  readonly service: number;
  /** Seconds since 1970: the join holds in [from, to). */
  readonly from: number;
  readonly to: number;
  /** Seconds since 1970: extensions and leaves that come later count for the next slot; where time is sold by slots. */
  readonly deadline?: number;
  /** Key messages, for LOAD KEY in this order. */
  readonly messages: readonly Uint8Array[];
  /**
   * Seconds since 1970, where each segment needs something that comes in answers alone: what is here lasts until then. A
   * key request in the {@link KEYS_AHEAD} seconds before brings what the next one needs.
   */
  readonly keysUntil?: number;
  readonly charge?: Charge;
}

/** Seconds before `keysUntil` from which on a key request brings what the next segment needs. */
export const KEYS_AHEAD = 30;

/** Octets of an answer. */
const MAX_ANSWER = 65_536;
/** 31 purchases that are issued anew, each of 4 parts of seeds and a path of 10 nodes at most. */
const MAX_MESSAGES = 160;
const MAX_U32 = 2 ** 32 - 1;
const MAX_AMOUNT = 2n ** 63n - 1n;
/** One command to a card has 255 octets at most. */
const BASE64 = /^(?=.{4,344}$)(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Writes an answer as JSON. */
export function formatAnswer(answer: Answer): string {
  const { messages, charge, ...rest } = answer;
  return JSON.stringify({
    ...rest,
    messages: messages.map(toBase64),
    ...(charge !== undefined && {
      charge: {
        seconds: charge.seconds,
        amount: charge.amount.toString(),
        ...(charge.currency !== undefined && { currency: charge.currency.code }),
      },
    }),
  });
}

/**
 * Reads an answer.
 * @throws FormatError when it is not one of this version.
 */
export function parseAnswer(octets: Uint8Array): Answer {
  const json = parseJsonObject('answer', octets, MAX_ANSWER);
  const answer: Answer = {
    ...(json.has('requestId') && {
      requestId: json.pattern('requestId', /^[0-9a-f]{16}$/, 'a request id of 16 small hexadecimal digits'),
    }),
    outcome: json.oneOf('outcome', OUTCOMES),
    service: json.number('service', 1, MAX_U32),
    from: json.number('from', 0, MAX_U32),
    to: json.number('to', 0, MAX_U32),
    ...(json.has('deadline') && { deadline: json.number('deadline', 0, MAX_U32) }),
    messages: json.list('messages', 0, MAX_MESSAGES, readMessage),
    ...(json.has('keysUntil') && { keysUntil: json.number('keysUntil', 0, MAX_U32) }),
    ...(json.has('charge') && { charge: readCharge(json.object('charge')) }),
  };
  json.end();
  return answer;
}

function readCharge(json: JsonObject): Charge {
  const charge = {
    seconds: json.number('seconds', 0, MAX_U32),
    amount: json.amount('amount', MAX_AMOUNT),
    ...(json.has('currency') && { currency: currencyByCode(json.pattern('currency', /^[A-Z]{3}$/, 'a currency')) }),
  };
  json.end();
  return charge;
}

function readMessage(value: unknown, path: string): Uint8Array {
  const octets = fromBase64(readPattern(value, path, BASE64, 'a key message in base64'));
  if (octets.length > 255) throw trouble(path, `has ${octets.length} octets; a card takes 255`);
  return octets;
}

function toBase64(octets: Uint8Array): string {
  return btoa(String.fromCharCode(...octets));
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
