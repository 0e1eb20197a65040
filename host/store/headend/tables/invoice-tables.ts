/** An invoice of one payer, month and currency; or a credit note, which takes something of it back. */
export interface InvoiceTable {
  /** From 1 on, without gaps, for invoices and credit notes together. */
  readonly number: number;
  /** What is issued once: account, month and currency, or the name of a credit note. */
  readonly name: string;
  /** Account of the ledger that it is sent to. */
  readonly account: string;
  readonly period: string;
  /** ISO 4217 number. */
  readonly currency: number;
  readonly issuedAt: number;
  /** Of a credit note: the number of its invoice. */
  readonly corrects: number | null;
  /** Micro-units, whole units of what is paid in; below 0 where something is given back. */
  readonly payable: bigint;
  /** Micro-units that are too small to be paid: they go onto the next invoice. */
  readonly carried: bigint;
  /** What it says, JSON. */
  readonly document: string;
}

export type InvoiceTables = { readonly invoice: InvoiceTable };

/** Integer columns of this table that are numbers. */
export const INVOICE_COLUMNS = {
  number: 'number',
  currency: 'number',
  issuedAt: 'number',
  corrects: 'number',
} as const;
