import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import type { LogRecord } from '../../apdu/decode-module/money/log-record.ts';

/** Records that a card keeps; `firmware-notes/protocol.md` 7.2. */
const MAX_LOG_RECORDS = 64;

/** What a record says beyond the one before it, the most telling change of it. Amounts in micro-units. */
export type PurseEvent =
  | { readonly kind: 'personalised' }
  | { readonly kind: 'loaded' | 'creditLimitSet'; readonly amount: bigint }
  | { readonly kind: 'closed'; readonly service: number; readonly spent: bigint }
  /** The card was pulled out while its session was open; `torn` was taken and not used. */
  | { readonly kind: 'torn'; readonly service: number; readonly spent: bigint; readonly torn: bigint }
  | { readonly kind: 'receiptsCollected' }
  | { readonly kind: 'taken'; readonly service: number; readonly amount: bigint }
  | { readonly kind: 'spendLimitChanged' }
  | { readonly kind: 'charged'; readonly service: number }
  /** The record before it is no longer there, or nothing above tells what changed. */
  | { readonly kind: 'unknown' };

/** One record of the purse, with what happened. */
export interface LogEntry {
  readonly record: LogRecord;
  readonly event: PurseEvent;
}

/**
 * The purse record by record, the newest first.
 * @param count of the newest records, 1 to 64.
 */
export async function readPurseLog(module: DecodeModule, count: number): Promise<LogEntry[]> {
  // One record more tells what the oldest one changed.
  const records = await readRecords(module, Math.min(count + 1, MAX_LOG_RECORDS));
  return records.slice(0, count).map((record, i) => ({ record, event: eventOf(record, records[i + 1]) }));
}

async function readRecords(module: DecodeModule, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let back = 0; back < count; back++) {
    try {
      records.push(await module.getLog(back));
    } catch (error) {
      if (error instanceof ModuleError && error.code === 'NOT_FOUND') break;
      throw error;
    }
  }
  return records;
}

function eventOf(record: LogRecord, before: LogRecord | undefined): PurseEvent {
  if (before === undefined) return { kind: record.sequence === 1 ? 'personalised' : 'unknown' };
  if (record.loadNumber !== before.loadNumber) {
    return { kind: record.limitLoaded ? 'creditLimitSet' : 'loaded', amount: record.loadAmount };
  }
  if (record.receiptsWritten !== before.receiptsWritten) {
    const { service } = before;
    const spent = record.spent - before.spent;
    const torn = record.torn - before.torn;
    return torn > 0n ? { kind: 'torn', service, spent, torn } : { kind: 'closed', service, spent };
  }
  if (record.receiptsAcknowledged !== before.receiptsAcknowledged) return { kind: 'receiptsCollected' };
  const { service } = record;
  if (record.taken !== before.taken) return { kind: 'taken', service, amount: record.taken - before.taken };
  if (record.spendLimit !== before.spendLimit) return { kind: 'spendLimitChanged' };
  return service === 0 ? { kind: 'unknown' } : { kind: 'charged', service };
}
