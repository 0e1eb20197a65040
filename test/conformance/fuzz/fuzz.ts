/** The differential fuzzer for as long as one likes. (npm run fuzz -- --seconds 600) */
import { Command } from 'commander';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { wholeNumber } from '../../../host/cli/options/number-option.ts';
import { describeFuzz, fuzz, type FuzzOptions } from './fuzz-run.ts';

const MAX_SEED = 2 ** 31 - 1;

interface Options extends Partial<FuzzOptions> {
  readonly json?: true;
}

/** Of fast-check: how the failing life was reached, as the fuzzer prints it. */
function parsePath(text: string): string {
  if (/^\d+(?::\d+)*$/.test(text)) return text;
  throw new OutOfRangeError(`"${text.slice(0, 40)}" is not a path; copy it as the fuzzer printed it, like 17:3:0`);
}

try {
  const program = new Command('fuzz')
    .description('hold the soft module against the applet on jCardSim: random lives of cards, every answer compared')
    .option('--seconds <n>', 'how long', wholeNumber(1, 1_000_000), 60)
    .option('--seed <n>', 'start here instead of anywhere', wholeNumber(0, MAX_SEED))
    .option('--apdu-buffer <octets>', 'of both cards', wholeNumber(133, 261))
    .option('--path <path>', 'with the seed: play the one life that failed', parsePath)
    .option('--json', 'one line of JSON')
    .parse();
  const { seconds = 60, seed = Date.now() % MAX_SEED, apduBuffer, path, json } = program.opts<Options>();
  if (path !== undefined && program.getOptionValue('seed') === undefined) {
    throw new OutOfRangeError('a path means nothing without its seed; give --seed as well');
  }
  const result = await fuzz({ seconds, seed, apduBuffer, path });
  process.stdout.write(`${json === true ? JSON.stringify(result) : describeFuzz(result)}\n`);
  process.exitCode = result.divergence === undefined ? 0 : 1;
} catch (error) {
  if (!(error instanceof TollcastError)) throw error;
  process.stderr.write(`fuzz: ${error.message}\n`);
  process.exitCode = 1;
}
