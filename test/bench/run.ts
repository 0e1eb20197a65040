import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { OutOfRangeError, TollcastError } from '../../apdu/errors.ts';
import { measureBridgeCost } from './bridge-cost.ts';
import { measureCardPackets } from './card/card-packets.ts';
import { measureRoundTrips } from './card/round-trips.ts';
import { measureTokenDemo, measureTokens } from './card/tokens.ts';
import { formatFigure, formatGoal, isGoalMet, type Measurement } from './figures.ts';
import { FLOOD_SECONDS, measureFloods } from './floods/measure-floods.ts';
import { measureBilling } from './head-end/billing.ts';
import { measureHeadEnd } from './head-end/head-end.ts';
import { measureJoinTime } from './head-end/join-time.ts';
import { measureJoins } from './head-end/joins.ts';
import { measureReceipts } from './head-end/receipts.ts';
import { measureSealAndSend } from './head-end/seal-and-send.ts';
import { endWithThisProcess } from './left-behind.ts';
import { measureLongRun, TEN_MILLION } from './live/long-run.ts';
import { measureLive } from './live/measure-live.ts';
import { MeasurementError } from './measurement-error.ts';

/** By name, in the order in which they run. */
const MEASUREMENTS: Readonly<Record<string, () => Promise<Measurement>>> = {
  'round-trips': measureRoundTrips,
  'card-packets': measureCardPackets,
  'bridge-cost': measureBridgeCost,
  'seal-and-send': measureSealAndSend,
  'head-end': measureHeadEnd,
  'join-time': measureJoinTime,
  joins: measureJoins,
  billing: measureBilling,
  live: measureLive,
  receipts: measureReceipts,
  'ten-million': () => measureLongRun(TEN_MILLION),
  floods: () => measureFloods({ card: 'soft', withKoffi: true, seconds: FLOOD_SECONDS.whole }),
};
/** These run when they are asked for by name. */
const BY_NAME_ALONE: Readonly<Record<string, () => Promise<Measurement>>> = {
  'floods-quick': () => measureFloods({ card: 'soft', withKoffi: true, seconds: FLOOD_SECONDS.quick }),
  'floods-pcsc': () => measureFloods({ card: 'pcsc', withKoffi: true, seconds: FLOOD_SECONDS.whole }),
  tokens: measureTokens,
  'token-demo': measureTokenDemo,
  'floods-without-koffi': () => measureFloods({ card: 'soft', withKoffi: false, seconds: FLOOD_SECONDS.whole }),
};
const RESULTS = new URL('results.md', import.meta.url);
/** ms; a measurement that takes longer is stuck. */
const MAX_TIME = 900_000;

/** What a measurement came to, or why there is nothing. */
type Outcome = { readonly name: string } & (Measurement | { readonly failed: string });

const { values: options } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
// What was started is ended by those who listen to `exit`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const outcomes: Outcome[] = [];
for (const name of chooseNames(options.only)) {
  const outcome = options.only === undefined ? await measureApart(name) : await measureHere(name);
  outcomes.push(outcome);
  process.stdout.write(options.json === true ? `${JSON.stringify(outcome)}\n` : writeSection(outcome));
}
if (options.only === undefined) writeFileSync(RESULTS, `${writeHeading()}${outcomes.map(writeSection).join('')}`);
// Also where a measurement that failed has left something running.
process.exit(outcomes.some((outcome) => 'failed' in outcome) ? 1 : 0);

function chooseNames(only: string | undefined): readonly string[] {
  if (only === undefined) return Object.keys(MEASUREMENTS);
  const names = Object.keys({ ...MEASUREMENTS, ...BY_NAME_ALONE });
  if (!names.includes(only))
    throw new OutOfRangeError(`there is no measurement "${only}"; there are ${names.join(', ')}`);
  return [only];
}

async function measureHere(name: string): Promise<Outcome> {
  try {
    return { name, ...(await { ...MEASUREMENTS, ...BY_NAME_ALONE }[name]!()) };
  } catch (error) {
    if (!(error instanceof TollcastError) && !(error instanceof MeasurementError)) throw error;
    return { name, failed: error.message };
  }
}

/** In a process of its own, so that none is slowed by what another one left in memory or taught the compiler. */
async function measureApart(name: string): Promise<Outcome> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--json', '--only', name], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: MAX_TIME,
  });
  endWithThisProcess(child);
  let line = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) line += chunk.toString();
  try {
    return JSON.parse(line) as Outcome;
  } catch {
    return { name, failed: `it broke off; type: npm run bench -- --only ${name}` };
  }
}

function writeHeading(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return [
    '# Measurements\n',
    'Made by `npm run bench`, and written anew by every run of it; compare the ratios, whose sides were measured by turns on the same machine.\n',
    `${cpus().length} cores (${first?.model}), ${memory} GiB, Node ${process.version}, ${process.platform} ${process.arch}.\n\n`,
  ].join('\n');
}

function writeSection(outcome: Outcome): string {
  const title = `## ${outcome.name}\n\n`;
  if ('failed' in outcome) return `${title}Not measured: ${outcome.failed}\n\n`;
  const rows = outcome.rows.map((row) => {
    const met = isGoalMet(row);
    const verdict = met === undefined ? '' : met ? 'met' : 'missed';
    return `| ${row.what} | ${formatFigure(row.figure)} | ${row.unit} | ${formatGoal(row)} | ${verdict} |\n`;
  });
  return `${title}${outcome.how}\n\n| what | figure | unit | goal | |\n|---|--:|---|---|---|\n${rows.join('')}\n`;
}
