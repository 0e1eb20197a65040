import type { Mark, SessionTotals } from '../../../apdu/decode-module/money/log-record.ts';
import { type Receipt, signReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import { Session, type TransientState } from '../memory/transient-state.ts';
import { NO_TOTALS } from './purse-record.ts';
import { amountOfTicks, NO_TICKS } from './ticks.ts';

/** How a session ends. */
interface Settlement {
  readonly reason: Receipt['reason'];
  readonly totals: SessionTotals;
  /** Micro-units that were used, rounded up. */
  readonly amount: number;
  /** Micro-units that were taken and are lost. */
  readonly tornPart: number;
  readonly marks: readonly Mark[];
  readonly spentOfDay: number;
}

/** OPEN SESSION (protocol 7.3). @param service not 0. */
export function openSession(persistent: PersistentState, transient: TransientState, service: number): void {
  if (transient.session?.service !== service) {
    closeSession(persistent, transient);
    transient.session = new Session(service);
  }
  for (const mark of transient.marks) mark.opened = false;
}

/** Settles and ends the session, if one is open (protocol 7.3, CLOSE). */
export function closeSession(persistent: PersistentState, transient: TransientState): void {
  const { session: totals, marks } = transient;
  if (totals !== undefined && totals.taken > 0) {
    const amount = amountOfTicks(totals.used);
    const givenBack = totals.taken - amount;
    const spentOfDay = Math.max(0, persistent.purse.record.spentOfDay - givenBack);
    settle(persistent, { reason: 'closed', totals, amount, tornPart: 0, marks, spentOfDay });
  }
  transient.session = undefined;
}

/** Settles a session that lost its power, from the record alone (protocol 7.3, *Tear*). */
export function settleTornSession(persistent: PersistentState): void {
  const { taken, usedAtTake, openTotals: totals, marks, spentOfDay } = persistent.purse.record;
  if (taken === 0) return;
  const amount = amountOfTicks(usedAtTake);
  settle(persistent, { reason: 'torn', totals, amount, tornPart: taken - amount, marks, spentOfDay });
}

/** Writes the receipt into the ring, then the record, which is the commit point. */
function settle(persistent: PersistentState, settlement: Settlement): void {
  const { purse, cardId, currency, keys } = persistent;
  const { record } = purse;
  const { reason, totals, amount, tornPart, marks, spentOfDay } = settlement;
  const number = record.receiptsWritten + 1;
  const spent = record.spent + amount + tornPart;
  const { octets, duration, groups, firstSegment, lastSegment, from, to } = totals;
  const receipt: Receipt = {
    cardId,
    number,
    service: record.service,
    session: record.session,
    firstSegment,
    lastSegment,
    octets,
    duration,
    groups,
    from,
    to,
    amount: BigInt(amount),
    torn: BigInt(tornPart),
    loaded: BigInt(record.loaded),
    spent: BigInt(spent),
    currency,
    reason,
  };
  purse.writeReceipt(number, signReceipt(receipt, keys.receipt));
  purse.changeRecord({
    spent,
    torn: record.torn + tornPart,
    spentOfDay,
    receiptsWritten: number,
    unacknowledged: record.unacknowledged + amount + tornPart,
    taken: 0,
    usedAtTake: NO_TICKS,
    openTotals: NO_TOTALS,
    service: 0,
    marks: marks.map(({ ssrc, group }) => ({ ssrc, group })),
  });
}
