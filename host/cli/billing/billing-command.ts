import type { Command } from 'commander';
import { addReconcileCommands } from './billing-reconcile.ts';

/** Adds `tollcast billing` with its commands to the program. */
export function addBillingCommand(program: Command): void {
  const billing = program.command('billing').description('what was earned, and whether all records of it agree');
  addReconcileCommands(billing);
}
