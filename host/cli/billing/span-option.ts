import type { Command } from 'commander';
import { type ConfigOption, withConfig } from '../headend/config-option.ts';
import { wholeNumber } from '../options/number-option.ts';
import { parseTime } from '../terminal/time.ts';

/** The options of a command that looks at a time, a service or a card. */
export interface SpanOptions extends ConfigOption {
  /** Seconds since 1970. */
  readonly from?: number;
  readonly to?: number;
  readonly service?: number;
  readonly card?: string;
  readonly csv?: true;
}

/** Adds a command with these options. */
export function addSpanCommand(parent: Command, name: string, description: string): Command {
  return withConfig(parent, name, description)
    .option('--from <time>', 'from this media time on, as in 2026-12-24 (default: all)', parseTime)
    .option('--to <time>', 'up to this media time (default: all)', parseTime)
    .option('--service <n>', 'of this service alone', wholeNumber(1, 0xffff_ffff))
    .option('--card <id>', 'of this card alone')
    .option('--csv', 'write CSV, for a spreadsheet');
}

/** The query of the API. */
export function querySpan({ from, to, service, card }: SpanOptions): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ from, to, service, card })) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}
