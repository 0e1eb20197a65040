import { Command } from 'commander';
import { vi } from 'vitest';
import { addBillingCommand } from '../../../../host/cli/billing/billing-command.ts';
import { addHeadendCommand } from '../../../../host/cli/headend/headend-command.ts';

/**
 * Runs `tollcast billing` in this process, one at a time.
 * @returns what it writes.
 * @throws what the program would report.
 */
export function runBilling(...args: readonly string[]): Promise<string> {
  return run(addBillingCommand, ['billing', ...args]);
}

/** Runs `tollcast headend` as {@link runBilling} does. */
export function runHeadend(...args: readonly string[]): Promise<string> {
  return run(addHeadendCommand, ['headend', ...args]);
}

async function run(add: (program: Command) => void, args: readonly string[]): Promise<string> {
  const program = new Command('tollcast');
  add(program);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return readWritten(write);
  } finally {
    write.mockRestore();
  }
}

function readWritten(write: { readonly mock: { readonly calls: readonly (readonly unknown[])[] } }): string {
  return write.mock.calls.map(([text]) => String(text)).join('');
}
