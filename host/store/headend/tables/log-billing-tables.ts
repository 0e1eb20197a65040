/** A segment whose purchases are billed, where a service is billed from the log of requests alone. */
export interface BilledSegmentTable {
  readonly service: number;
  readonly segment: number;
  readonly billedAt: number;
}

/** One row: up to where in the log all that was sold is billed. */
export interface LogMarkTable {
  readonly id: number;
  readonly logId: number;
}

export type LogBillingTables = {
  readonly billedSegment: BilledSegmentTable;
  readonly logMark: LogMarkTable;
};

/** Integer columns of these tables that are numbers. */
export const LOG_BILLING_COLUMNS = {
  id: 'number',
  service: 'number',
  segment: 'number',
  billedAt: 'number',
  logId: 'number',
} as const;
