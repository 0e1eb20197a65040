import { amountOf, ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import type { ReceiptRowTable } from '../../store/headend/tables/receipt-tables.ts';
import type { SentTerms, ServiceJournal } from '../meter/service-journal.ts';

/** Why a receipt does not agree with what was sent. */
export type SentDifference = 'nothing sent' | 'more than was sent' | 'impossible' | 'wrong amount';

export interface FoundDifference {
  readonly kind: SentDifference;
  /** In words, with both figures. */
  readonly why: string;
}

/** A receipt, as far as it is held against the journal. */
export type CheckedReceipt = Pick<
  ReceiptRowTable,
  'service' | 'octets' | 'duration' | 'groups' | 'timeFrom' | 'timeTo' | 'amount' | 'torn' | 'isTorn' | 'takenAt'
>;

/** Micro-units by which the amount of a receipt may be off: the card rounds up once. */
const TOLERANCE = 1n;
/** Seconds by which media time may be ahead of the clock of billing. */
const MAX_SKEW = 120;

/**
 * Holds a receipt against the sender's journal: no more than was sent in its time, and the price of it.
 * @returns nothing where they agree.
 */
export function checkReceipt(receipt: CheckedReceipt, journal: ServiceJournal): FoundDifference[] {
  const { service, octets, duration, groups, timeFrom: from, timeTo: to, takenAt } = receipt;
  if (groups === 0) return checkEmpty(receipt, journal);
  if (from > to || octets === 0n || to > takenAt + MAX_SKEW) {
    const why =
      to > takenAt + MAX_SKEW ? `it is of ${to}, and came at ${takenAt}` : 'it has groups and no time or octets';
    return [{ kind: 'impossible', why }];
  }
  const sent = journal.sum(from, to);
  const terms = journal.terms(from, to);
  if (terms.length === 0 && sent.groups === 0) {
    return [{ kind: 'nothing sent', why: `nothing of service ${service} was sent from ${from} to ${to} here` }];
  }
  const found: FoundDifference[] = [];
  const counted = { octets: Number(octets), duration: Number(duration), groups };
  for (const name of ['octets', 'duration', 'groups'] as const) {
    if (counted[name] <= sent[name]) continue;
    const why = `${name}: ${counted[name]} in the receipt, ${sent[name]} were sent`;
    found.push({ kind: 'more than was sent', why });
  }
  return [...found, ...checkAmount(receipt, terms)];
}

/** A session that was torn before its second take has no units: only a flat price can have been charged. */
function checkEmpty({ amount, octets, duration, service }: CheckedReceipt, journal: ServiceJournal): FoundDifference[] {
  if (octets > 0n || duration > 0n) return [{ kind: 'impossible', why: `${octets} octets in no group` }];
  const isFlat = journal.allTerms.some(({ tariff }) => tariff.kind === 'flat' && tariff.price === amount);
  if (amount === 0n || isFlat) return [];
  return [{ kind: 'wrong amount', why: `${amount} for nothing, and service ${service} had no such flat price` }];
}

function checkAmount(receipt: CheckedReceipt, terms: readonly SentTerms[]): FoundDifference[] {
  // After a crash the last key may not have been written down.
  if (terms.length === 0) return [];
  const due = terms.map((one) => amountUnder(receipt, one, terms));
  const least = due.reduce((low, { min }) => (min < low ? min : low), due[0]!.min);
  const most = due.reduce((high, { max }) => (max > high ? max : high), 0n);
  const { amount } = receipt;
  if (amount >= least - TOLERANCE && amount <= most + TOLERANCE) return [];
  const expected = least === most ? `${least}` : `${least} to ${most}`;
  return [{ kind: 'wrong amount', why: `${amount} in the receipt, ${expected} by units and price` }];
}

/** What the units come to under one price. */
function amountUnder(
  { octets, duration, amount, isTorn }: CheckedReceipt,
  { tariff }: SentTerms,
  all: readonly SentTerms[],
): { min: bigint; max: bigint } {
  if (tariff.kind !== 'flat') {
    const due = amountOf(ticksOf(tariff, Number(octets), Number(duration), false));
    return { min: due, max: due };
  }
  // A segment that was paid before costs nothing. What a torn session took last stands in its amount alone.
  const segments = new Set(all.map(({ segment }) => segment)).size + (isTorn ? 1 : 0);
  const paid = tariff.price === 0n ? 0n : amount / tariff.price;
  const isWhole = tariff.price === 0n || amount % tariff.price === 0n;
  const due = (isWhole && paid <= BigInt(segments) ? paid : BigInt(segments)) * tariff.price;
  return { min: due, max: due };
}
