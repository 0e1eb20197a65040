import type { Values } from '../../layout/field-table.ts';
import { PURSE_STATUS } from '../../layout/money.ts';
import { amountOf } from './tariff.ts';

/** The purse as GET PURSE shows it; amounts in micro-units; `firmware-notes/protocol.md` 7.2. */
export interface PurseStatus extends Values<typeof PURSE_STATUS> {
  /** What the open session comes to if it is closed now. */
  readonly used: bigint;
  /** What would be left if the session were closed now. */
  readonly balance: bigint;
  /** What the card can still take for the open session, beside what it has taken. */
  readonly available: bigint;
  /** Receipts to be delivered to the issuer. */
  readonly receiptsDue: number;
}

/**
 * Reads the answer to GET PURSE.
 * @throws FormatError when it is not 70 octets.
 */
export function parsePurseStatus(octets: Uint8Array): PurseStatus {
  const status = PURSE_STATUS.decode(octets);
  const { loaded, spent, taken, usedTicks, receiptsWritten, receiptsAcknowledged } = status;
  const used = amountOf(usedTicks);
  return {
    ...status,
    used,
    balance: loaded - spent - used,
    available: loaded - spent - taken,
    receiptsDue: receiptsWritten - receiptsAcknowledged,
  };
}
