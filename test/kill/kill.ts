/** Kills as many times as one likes, and reconciles after each. (npm run test:kill -- --times 100) */
import { Command } from 'commander';
import { wholeNumber } from '../../host/cli/options/number-option.ts';
import { killHeadEnds } from './kill-head-ends.ts';
import { killWatchers } from './kill-watchers.ts';
import { Mismatch } from './mismatch.ts';
import { Stage } from './stage.ts';

const program = new Command('kill')
  .description('kill -9 of watch and of the head-end while a stream plays, each reconciled exactly')
  .option('--times <n>', 'how often each of the two', wholeNumber(1, 10_000), 100)
  .parse();
const { times } = program.opts<{ readonly times: number }>();

const stage = await Stage.open();
try {
  const watchers = await killWatchers(stage, times);
  process.stdout.write(
    `watch killed ${times} times: ${watchers.receipts} receipts, ${watchers.octets} octets charged, ` +
      `${watchers.torn} micro-units torn, ${watchers.delivered} octets delivered\n`,
  );
  const headEnds = await killHeadEnds(stage, times);
  process.stdout.write(
    `head-end killed ${times} times under one watch: ${headEnds.paid} octets paid and charged, ` +
      `${headEnds.delivered} delivered, ${headEnds.missing} missing\n`,
  );
  process.stdout.write('every micro-unit is accounted for\n');
} catch (error) {
  if (!(error instanceof Mismatch)) throw error;
  process.stderr.write(`kill: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  await stage.close();
}
