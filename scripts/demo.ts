/** Multicasts a clip, watches it through a card that takes the toll, shows the bill and compares it with its source. */
import '../apdu/require-node.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { MAX_PACKETS } from '../apdu/decode-module/packets/card-part.ts';
import { TollcastError } from '../apdu/errors.ts';
import { wholeNumber } from '../host/cli/options/number-option.ts';
import { takeSecrets } from '../host/cli/terminal/environment-secrets.ts';
import type { DemoOptions } from './demo-options.ts';

takeSecrets();

const program = new Command('demo')
  .description('multicast a clip on loopback, watch it through a card that takes the toll, show the bill')
  .option(
    '--card <card>',
    'pcsc, jcardsim, soft, or where your card is: READER, hid, usb or another --card of tollcast (default: the first ' +
      'that works)',
  )
  .option('--source <file>', 'a file of yours, MPEG-TS or plain data (default: a clip that ffmpeg makes)')
  .option('--every <n>', 'every nth packet goes through the card', wholeNumber(1, MAX_PACKETS), 10)
  .option('--span <octets>', 'octets of it that do', wholeNumber(16, 208), 64)
  .option('--mode <mode>', 'sealed, open or strict', 'sealed')
  .option('--price <price>', 'what the stream costs', '0.25 USD/MB')
  .option(
    '--rate <bit/s>',
    'pace of the source (default: its own clock; plain data: 10000000)',
    wholeNumber(1000, 1_000_000_000),
  )
  .option('--json', 'end standard output with one line of JSON');
try {
  program.parse();
} catch (error) {
  if (!(error instanceof TollcastError)) throw error;
  process.stderr.write(`demo: ${error.message}\n`);
  process.exit(2);
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
const folder = await mkdtemp(join(tmpdir(), 'tollcast-demo-'));
try {
  // Read only now: an older Node does not get through all of it.
  const { runDemo } = await import('./demo-run.ts');
  process.exitCode = await runDemo({ ...program.opts<DemoOptions>(), folder, signal: stop.signal });
} catch (error) {
  if (!(error instanceof TollcastError) && !stop.signal.aborted) throw error;
  process.stderr.write(`demo: ${stop.signal.aborted ? 'stopped' : error instanceof Error ? error.message : ''}\n`);
  process.exitCode = stop.signal.aborted ? 130 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
