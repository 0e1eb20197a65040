import type { InvoiceLine } from './invoice.ts';

/** @returns `Invoice 5`, or `Credit note 6 for invoice 5`. */
export function titleOf({ number, corrects }: { readonly number: number; readonly corrects: number | null }): string {
  return corrects === null ? `Invoice ${number}` : `Credit note ${number} for invoice ${corrects}`;
}

const DISPUTED = {
  open: 'disputed',
  upheld: 'disputed, and given back',
  rejected: 'disputed, and found right',
} as const;

/** What a line is of, beside its service: time, octets and price, who paid it, and why. */
export function readSessionOfLine({ kind, from, to, octets, price, card, note, dispute }: InvoiceLine): string[] {
  const time = from === null || to === null ? '' : `${formatMinute(from)} to ${formatMinute(to)}`;
  const measure = [time, octets === null ? '' : `${octets} octets`, price ?? ''].filter((text) => text !== '');
  return [
    ...(kind === 'charge' || kind === 'receipt' ? [] : [kind]),
    ...(measure.length === 0 ? [] : [measure.join(', ')]),
    ...(card === null ? [] : [`paid by card ${card}`]),
    ...(note === null ? [] : [note]),
    ...(dispute === undefined ? [] : [DISPUTED[dispute]]),
  ];
}

function formatMinute(at: number): string {
  return new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ');
}
