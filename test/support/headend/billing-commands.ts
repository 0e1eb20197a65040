import { Command } from 'commander';
import { vi } from 'vitest';
import { addBillingCommand } from '../../../host/cli/billing/billing-command.ts';

/**
 * Runs `tollcast billing` in this process, one at a time.
 * @returns what it writes.
 * @throws what the program would report.
 */
export async function runBilling(...args: readonly string[]): Promise<string> {
  const program = new Command('tollcast');
  addBillingCommand(program);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(['billing', ...args], { from: 'user' });
    return readWritten(write);
  } finally {
    write.mockRestore();
  }
}

function readWritten(write: { readonly mock: { readonly calls: readonly (readonly unknown[])[] } }): string {
  return write.mock.calls.map(([text]) => String(text)).join('');
}
