import type { Command } from 'commander';
import { addSpanCommand, type SpanOptions } from './span-option.ts';

/** What only an operator needs is loaded with the first of these commands. */
const load = () => import('./reconcile-actions.ts');

/** Adds the commands of `tollcast billing` that hold receipts against what was sent and the ledger. */
export function addReconcileCommands(billing: Command): void {
  addSpanCommand(
    billing,
    'reconcile',
    'hold the receipts of cards against what was sent and the ledger; fails where they differ',
  ).action(async (options: SpanOptions) => (await load()).reconcile(options));
  addSpanCommand(billing, 'fraud', 'list what no honest card shows').action(async (options: SpanOptions) =>
    (await load()).listFraud(options),
  );
}
