import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import type { SessionTotals } from '../../../apdu/decode-module/money/log-record.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { TARIFF } from '../../../apdu/decode-module/money/tariff.ts';
import { CEILINGS } from '../../../apdu/layout/keys.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import type { ContentKey } from '../keys/keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import type { Session, TransientState } from '../memory/transient-state.ts';
import { refuse } from '../refusal.ts';
import type { PurseRecord } from './purse-record.ts';
import { addTicks, amountOfTicks, NO_TICKS, type Ticks, ticksOfDuration, ticksOfOctets } from './ticks.ts';

/** The most that a session may take, in micro-units. */
const MAX_TAKEN = Number(MAX_MONEY);
const MAX_QUANTA = 255;
const SECONDS_OF_DAY = 86_400;

/** The authenticated units and time of a group. */
export interface GroupHeader {
  readonly octets: number;
  /** ms */
  readonly duration: number;
  /** Seconds since 1970. */
  readonly mediaTime: number;
}

/**
 * Charges a group to the open session and counts it (protocol 7.3).
 * @throws Refusal 9401, 9402, 9403 or 9404 with nothing changed.
 */
export function debitGroup(
  persistent: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  group: GroupHeader,
): void {
  charge(persistent, transient, session, key, group);
  // `from` is set as long as it is 0, which means not yet set.
  if (session.from === 0) session.from = group.mediaTime;
  session.to = group.mediaTime;
  session.duration += group.duration;
  addToTotals(session, key, group.octets);
}

/**
 * Charges a blind DECODE, which counts as a group of its blocks' octets. Its key is free or flat.
 * @param octets 16 to 240.
 * @throws Refusal as {@link debitGroup} does.
 */
export function debitBlind(
  persistent: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  octets: number,
): void {
  // Without a media time it counts against the day of the record (7.3 step 3).
  charge(persistent, transient, session, key, { octets, duration: 0, mediaTime: 0 });
  addToTotals(session, key, octets);
}

/** Adds the charge of a group to `used`, after a take where what was taken does not cover it. */
function charge(
  persistent: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  group: GroupHeader,
): void {
  const cost = computeCost(persistent, key, group);
  if (cost.units === 0 && cost.rest === 0) return;
  const used = addTicks(session.used, cost);
  if (key.tariff === TARIFF.flat || amountOfTicks(used) > session.taken) {
    take(persistent, transient, session, key, used, group.mediaTime);
  }
  session.used = used;
}

/** The ticks of a group by the tariff of its content key (7.1). */
function computeCost({ keyMemory }: PersistentState, key: ContentKey, { octets, duration }: GroupHeader): Ticks {
  switch (key.tariff) {
    case TARIFF.octets:
      return ticksOfOctets(octets, key.price);
    case TARIFF.duration:
      return ticksOfDuration(duration, key.price);
    case TARIFF.flat:
      return keyMemory.isPaid(key.service, key.segment) ? NO_TICKS : { units: key.price, rest: 0 };
    default:
      return NO_TICKS;
  }
}

/**
 * Writes the record of a take, or of a flat charge (7.3).
 * @param used with this group.
 */
function take(
  { purse, keyMemory, maximumUnacknowledged }: PersistentState,
  transient: TransientState,
  session: Session,
  key: ContentKey,
  used: Ticks,
  mediaTime: number,
): void {
  const { record } = purse;
  const isFlat = key.tariff === TARIFF.flat;
  const isFirst = session.taken === 0;
  // Step 1.
  if (isFirst) requireNoReceiptsDue(record, maximumUnacknowledged);
  // Step 2.
  const missing = Math.max(0, amountOfTicks(used) - session.taken);
  const quantum = CEILINGS.readUint(key.purchase.ceilings, 'quantum');
  const wanted = missing === 0 ? 0 : computeTake(record, session.taken, missing, quantum);
  // Step 3.
  const { day, spentOfDay } = moveDay(record, mediaTime);
  const taken = Math.min(wanted, Math.max(0, record.spendLimit - spentOfDay));
  if (taken < missing) refuse(STATUS.SPEND_LIMIT);
  // Step 4.
  const change = {
    session: isFirst ? record.session + 1 : record.session,
    service: session.service,
    taken: session.taken + taken,
    usedAtTake: isFlat ? used : session.used,
    day,
    spentOfDay: spentOfDay + taken,
    openTotals: copyTotals(session),
    ...(isFlat ? { lastFlatService: key.service, lastFlatSegment: key.segment } : {}),
    marks: transient.marks.map(({ ssrc, group }) => ({ ssrc, group })),
  };
  purse.changeRecord(change, ...(isFlat ? [keyMemory.addPaid(key.purchase, key.segment)] : []));
  session.taken += taken;
}

/** @throws Refusal 9404 */
function requireNoReceiptsDue(record: PurseRecord, maximumUnacknowledged: number): void {
  const isRingFull = record.receiptsWritten - record.receiptsAcknowledged >= RECEIPT_RING;
  if (isRingFull || record.unacknowledged >= maximumUnacknowledged) refuse(STATUS.RECEIPTS_DUE);
}

/**
 * Computes t of 7.3 step 2 in micro-units: (taken + t) x 18,000,000 >= used is the same as t >= missing.
 * @param missing what t must be at least, 1 or more.
 * @throws Refusal 9402 for too many quanta, 9401 where the purse has less than is missing.
 */
function computeTake(record: PurseRecord, taken: number, missing: number, quantum: number): number {
  const quanta = Math.ceil(missing / quantum);
  if (quanta > MAX_QUANTA) refuse(STATUS.ABOVE_CEILING);
  const available = Math.max(0, record.loaded + record.creditLimit - record.spent - taken);
  const amount = Math.min(quanta * quantum, available, MAX_TAKEN - taken);
  if (amount < missing) refuse(STATUS.NO_CREDIT);
  return amount;
}

/** Day and spent of day with this group (7.3 step 3): a later day begins at 0, an earlier one changes nothing. */
function moveDay(record: PurseRecord, mediaTime: number): Pick<PurseRecord, 'day' | 'spentOfDay'> {
  const day = Math.floor(mediaTime / SECONDS_OF_DAY);
  return day > record.day ? { day, spentOfDay: 0 } : record;
}

/** Adds what every opened group counts in, blind ones too: octets, groups, segments. */
function addToTotals(session: Session, key: ContentKey, octets: number): void {
  if (session.groups === 0) session.firstSegment = key.segment;
  session.lastSegment = key.segment;
  session.octets += octets;
  session.groups++;
}

function copyTotals({ octets, duration, groups, firstSegment, lastSegment, from, to }: SessionTotals): SessionTotals {
  return { octets, duration, groups, firstSegment, lastSegment, from, to };
}
