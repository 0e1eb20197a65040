/** Kills as many times as one likes, and reconciles. (npm run test:kill -- --times 100) */
import { Command } from 'commander';
import { wholeNumber } from '../../host/cli/options/number-option.ts';
import { killChannel } from './kill-channel.ts';
import { killHeadEnds } from './kill-head-ends.ts';
import { killWatchers } from './kill-watchers.ts';
import { Mismatch } from './mismatch.ts';
import { Stage } from './stage.ts';

const program = new Command('kill')
  .description('kill -9 of watch, load and head-end while a stream plays, all of it reconciled exactly')
  .option('--times <n>', 'how often, for each of the three parts', wholeNumber(1, 10_000), 100)
  .option('--sold', 'only the part in which a channel is sold: head-end, watch and load are killed in turn')
  .parse();
const { times, sold } = program.opts<{ readonly times: number; readonly sold?: true }>();

try {
  if (sold !== true) await killSender(times);
  const channel = await killChannel(times);
  process.stdout.write(
    `head-end, watch and load killed ${times} times in turn: ${channel.receipts} receipts, ${channel.octets} octets ` +
      `charged, ${channel.torn} micro-units torn and given back, ${channel.delivered} octets delivered, ` +
      `${channel.vouchers} vouchers loaded (${channel.cutLoads} cut, ${channel.failedLoads} typed again), ` +
      `${channel.bills} bills, ${channel.entries} entries of the ledger\n`,
  );
  process.stdout.write('every micro-unit is accounted for\n');
} catch (error) {
  if (!(error instanceof Mismatch)) throw error;
  process.stderr.write(`kill: ${error.message}\n`);
  process.exitCode = 1;
}

async function killSender(count: number): Promise<void> {
  await using stage = await Stage.open();
  const watchers = await killWatchers(stage, count);
  process.stdout.write(
    `watch killed ${count} times: ${watchers.receipts} receipts, ${watchers.octets} octets charged, ` +
      `${watchers.torn} micro-units torn, ${watchers.delivered} octets delivered\n`,
  );
  const headEnds = await killHeadEnds(stage, count);
  process.stdout.write(
    `head-end killed ${count} times under one watch: ${headEnds.paid} octets paid and charged, ` +
      `${headEnds.delivered} delivered, ${headEnds.missing} missing\n`,
  );
}
