import { type Receipt, RECEIPT_RING, signReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { type ContentKey, limitsOf } from '../keys/keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { SessionTotals } from '../../../apdu/decode-module/money/log-record.ts';
import { NO_TOTALS } from './purse-record.ts';
import { addTicks, amountOfTicks, NO_TICKS, type Ticks, ticksOfDuration, ticksOfOctets } from './ticks.ts';
import { Session, type TransientState } from '../memory/transient-state.ts';

const MOST = Number(MAX_MONEY);
const MOST_QUANTA = 255;
const SECONDS_OF_DAY = 86_400;

interface Units {
  readonly octets: number;
  /** ms. */
  readonly duration: number;
}

/** What DECODE has found out about a group before it is paid for. */
export interface Group extends Units {
  readonly mediaTime: number;
}

/** OPEN SESSION; `firmware-notes/protocol.md` 7.3. */
export function openSession(persistent: PersistentState, transient: TransientState, service: number): void {
  if (transient.session?.service !== service) {
    closeSession(persistent, transient);
    transient.session = new Session(service);
  }
  for (const mark of transient.marks) mark.opened = false;
}

/** CLOSE: settles and ends the session, if one is open. */
export function closeSession(persistent: PersistentState, transient: TransientState): void {
  const { session } = transient;
  if (session !== undefined && session.taken > 0) {
    const amount = amountOfTicks(session.used);
    const spentOfDay = Math.max(0, persistent.record.spentOfDay - (session.taken - amount));
    settle(persistent, session, 'closed', amount, 0, transient.marks, spentOfDay);
  }
  transient.session = undefined;
}

/** Settles a session that lost its power; `firmware-notes/protocol.md` 7.3, *Tear*. */
export function settleTornSession(persistent: PersistentState): void {
  const { taken, usedAtTake, openTotals, marks, spentOfDay } = persistent.record;
  if (taken === 0) return;
  const amount = amountOfTicks(usedAtTake);
  settle(persistent, openTotals, 'torn', amount, taken - amount, marks, spentOfDay);
}

/** The receipt into the ring, then the record: the record is the commit point. */
function settle(
  persistent: PersistentState,
  totals: SessionTotals,
  reason: Receipt['reason'],
  amount: number,
  tornPart: number,
  marks: TransientState['marks'] | PersistentState['record']['marks'],
  spentOfDay: number,
): void {
  const { record } = persistent;
  const number = record.receiptsWritten + 1;
  const spent = record.spent + amount + tornPart;
  const { octets, duration, groups, firstSegment, lastSegment, from, to } = totals;
  const receipt: Receipt = {
    cardId: persistent.cardId,
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
    currency: persistent.currency,
    reason,
  };
  persistent.writeReceipt(number, signReceipt(receipt, persistent.keys.receipt));
  persistent.changeRecord({
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

/**
 * Charges a group to the open session, and counts it; `firmware-notes/protocol.md` 7.3, *Debit*.
 * @returns the status word; nothing has changed unless it is 9000.
 */
export function debit(
  persistent: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  group: Group,
): number {
  const status = charge(persistent, transient, session, key, group, group.mediaTime);
  if (status !== STATUS.DONE) return status;
  if (session.from === 0) session.from = group.mediaTime;
  session.to = group.mediaTime;
  session.duration += group.duration;
  addUp(session, key, group.octets);
  return STATUS.DONE;
}

/**
 * The same for blocks that say nothing of themselves; what they may cost is flat.
 * @param octets 16 to 240.
 */
export function debitBlind(
  persistent: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  octets: number,
): number {
  // No media time: it counts against the day of the record.
  const status = charge(persistent, transient, session, key, { octets, duration: 0 }, 0);
  if (status === STATUS.DONE) addUp(session, key, octets);
  return status;
}

function addUp(session: Session, key: ContentKey, octets: number): void {
  if (session.groups === 0) session.firstSegment = key.segment;
  session.lastSegment = key.segment;
  session.octets += octets;
  session.groups++;
}

function charge(
  persistent: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  units: Units,
  mediaTime: number,
): number {
  const cost = costOf(persistent, key, units);
  if (cost.units === 0 && cost.rest === 0) return STATUS.DONE;
  const used = addTicks(session.used, cost);
  const flat = key.tariff === TARIFF.flat;
  if (flat || amountOfTicks(used) > session.taken) {
    const status = take(persistent, transient, session, key, used, flat, mediaTime);
    if (status !== STATUS.DONE) return status;
  }
  session.used = used;
  return STATUS.DONE;
}

/** `firmware-notes/protocol.md` 7.1. */
function costOf(persistent: PersistentState, key: ContentKey, units: Units): Ticks {
  switch (key.tariff) {
    case TARIFF.octets:
      return ticksOfOctets(units.octets, key.price);
    case TARIFF.duration:
      return ticksOfDuration(units.duration, key.price);
    case TARIFF.flat: {
      const { lastFlatService, lastFlatSegment } = persistent.record;
      const paid = lastFlatService === key.service && lastFlatSegment === key.segment;
      return paid ? NO_TICKS : { units: key.price, rest: 0 };
    }
    default:
      return NO_TICKS;
  }
}

/** A take, or the record of a flat charge. @param used with this group. */
function take(
  persistent: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  used: Ticks,
  flat: boolean,
  mediaTime: number,
): number {
  const { record } = persistent;
  const { taken } = session;
  const first = taken === 0;
  // Step 1.
  const due = record.receiptsWritten - record.receiptsAcknowledged >= RECEIPT_RING;
  if (first && (due || record.unacknowledged >= persistent.maximumUnacknowledged)) return STATUS.RECEIPTS_DUE;
  // Step 2. (taken + t) x 18,000,000 >= used is the same as taken + t >= used rounded up.
  const wanted = amountOfTicks(used) - taken;
  const needed = Math.max(0, wanted);
  let more = 0;
  if (wanted > 0) {
    const { quantum } = limitsOf(key.purchase);
    const quanta = Math.ceil(wanted / quantum);
    if (quanta > MOST_QUANTA) return STATUS.ABOVE_CEILING;
    const available = Math.max(0, record.loaded + record.creditLimit - record.spent - taken);
    more = Math.min(quanta * quantum, available, MOST - taken);
    if (more < wanted) return STATUS.NO_CREDIT;
  }
  // Step 3.
  const day = Math.max(Math.floor(mediaTime / SECONDS_OF_DAY), record.day);
  const spentOfDay = day > record.day ? 0 : record.spentOfDay;
  more = Math.min(more, Math.max(0, record.spendLimit - spentOfDay));
  if (more < needed) return STATUS.SPEND_LIMIT;
  // Step 4.
  const { octets, duration, groups, firstSegment, lastSegment, from, to } = session;
  persistent.changeRecord({
    session: first ? record.session + 1 : record.session,
    service: session.service,
    taken: taken + more,
    usedAtTake: flat ? used : session.used,
    day,
    spentOfDay: spentOfDay + more,
    openTotals: { octets, duration, groups, firstSegment, lastSegment, from, to },
    ...(flat ? { lastFlatService: key.service, lastFlatSegment: key.segment } : {}),
    marks: transient.marks.map(({ ssrc, group }) => ({ ssrc, group })),
  });
  session.taken = taken + more;
  return STATUS.DONE;
}
