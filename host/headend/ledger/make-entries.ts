import type { LedgerAccount } from './ledger-account.ts';
import type { LedgerEntry, LedgerLine } from './ledger-entry.ts';

/** An amount of one currency. */
export interface LedgerAmount {
  /** ISO 4217 number. */
  readonly currency: number;
  /** Micro-units, 0 or above. */
  readonly amount: bigint;
}

/** What every event says of itself. */
interface LedgerOccasion {
  /** Which event of its kind. */
  readonly source: string;
  /** Seconds since 1970. */
  readonly at: number;
  readonly note?: string;
}

/** What was watched and is billed: who pays owes it, each component for itself, and the service has earned it. */
export function makeChargeEntry(
  charge: Omit<LedgerAmount, 'amount'> &
    LedgerOccasion & {
      readonly service: number;
      readonly charges: readonly { readonly payer: LedgerAccount; readonly amount: bigint }[];
    },
): LedgerEntry {
  const { source, at, service, currency, charges } = charge;
  const owed = charges.filter(({ amount }) => amount > 0n);
  const lines = owed.map(({ payer, amount }) => ({
    debit: payer,
    credit: `revenue:${service}` as const,
    currency,
    amount,
  }));
  return { kind: 'charge', source, at, lines };
}

/** A price per period. */
export function makePeriodFeeEntry(
  fee: LedgerAmount & LedgerOccasion & { readonly payer: LedgerAccount; readonly service: number },
): LedgerEntry {
  return makeEntry('period-fee', fee, fee.payer, `revenue:${fee.service}`);
}

/**
 * What a card took from its purse: it is owed that much less. The service has earned what was used; what was torn is
 * owed to the card until a load gives it back.
 */
export function makeReceiptEntry(
  receipt: LedgerAmount & LedgerOccasion & { readonly cardId: string; readonly service: number; readonly torn: bigint },
): LedgerEntry {
  const { cardId, service, torn, currency } = receipt;
  const entry = makeEntry('receipt', receipt, `card:${cardId}`, `revenue:${service}`);
  if (torn === 0n) return entry;
  const line = { debit: `card:${cardId}`, credit: `torn:${cardId}`, currency, amount: torn } as const;
  return { ...entry, lines: [...entry.lines, line] };
}

/** A load: for money that came, or on credit, which the user then owes. */
export function makeLoadEntry(
  load: LedgerAmount & LedgerOccasion & { readonly cardId: string; readonly from: LedgerAccount },
): LedgerEntry {
  return makeEntry('load', load, load.from, `card:${load.cardId}`);
}

export function makePaymentEntry(
  payment: LedgerAmount & LedgerOccasion & { readonly payer: LedgerAccount },
): LedgerEntry {
  return makeEntry('payment', payment, 'cash', payment.payer);
}

/** What is given back: to a user who owes, or to a card by its next load. @param from what was torn, or given up. */
export function makeRefundEntry(
  refund: LedgerAmount & LedgerOccasion & { readonly from: LedgerAccount; readonly to: LedgerAccount },
): LedgerEntry {
  return makeEntry('refund', refund, refund.from, refund.to);
}

export function makeWriteOffEntry(
  writeOff: LedgerAmount & LedgerOccasion & { readonly debtor: LedgerAccount },
): LedgerEntry {
  return makeEntry('write-off', writeOff, 'writeoffs', writeOff.debtor);
}

/** A part of a service's revenue that is another operator's. */
export function makeSettlementEntry(
  settlement: LedgerAmount & LedgerOccasion & { readonly operator: string; readonly service: number },
): LedgerEntry {
  return makeEntry('settlement', settlement, `revenue:${settlement.service}`, `operator:${settlement.operator}`);
}

/** Tax that is contained in what a service has earned, or, of a credit note, in what was given back. */
export function makeTaxEntry(
  tax: LedgerAmount & LedgerOccasion & { readonly rule: string; readonly from: LedgerAccount },
): LedgerEntry {
  return makeEntry('tax', tax, tax.from, `tax:${tax.rule}`);
}

/** Tax that was too much, as what it is contained in is taken back. */
export function makeTaxReturnEntry(
  tax: LedgerAmount & LedgerOccasion & { readonly rule: string; readonly to: LedgerAccount },
): LedgerEntry {
  return makeEntry('tax', tax, `tax:${tax.rule}`, tax.to);
}

/** The balance of a lost card goes to another one. */
export function makeMoveEntry(
  move: LedgerAmount & LedgerOccasion & { readonly from: string; readonly to: string },
): LedgerEntry {
  return makeEntry('move', move, `card:${move.from}`, `card:${move.to}`);
}

/**
 * Takes an earlier entry back: the same lines with their sides changed.
 * @param id of the earlier entry, which stays; it can be taken back once.
 */
export function makeCorrectionEntry(
  id: number,
  lines: readonly LedgerLine[],
  occasion: Omit<LedgerOccasion, 'source'>,
): LedgerEntry {
  const swapped = lines.map(({ debit, credit, ...amount }) => ({ ...amount, debit: credit, credit: debit }));
  return { ...occasion, kind: 'correction', source: String(id), lines: swapped };
}

function makeEntry(
  kind: LedgerEntry['kind'],
  { source, at, note, currency, amount }: LedgerAmount & LedgerOccasion,
  debit: LedgerAccount,
  credit: LedgerAccount,
): LedgerEntry {
  const lines = amount === 0n ? [] : [{ debit, credit, currency, amount }];
  return { kind, source, at, lines, ...(note !== undefined && { note }) };
}
