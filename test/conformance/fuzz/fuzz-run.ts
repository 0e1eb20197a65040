import fc from 'fast-check';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { type ChipFeature, startCard } from '../../../card-sim/index.ts';
import { type Action, life } from './fuzz-actions.ts';
import { encodeAction } from './fuzz-commands.ts';
import { Side } from './fuzz-side.ts';

export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Octets of the APDU buffer of both cards, 133 to 261 (default). */
  readonly apduBuffer?: number | undefined;
  /** What the applet's chip lacks. */
  readonly lacks?: readonly ChipFeature[] | undefined;
  /** Where a run of this seed failed: plays that alone. */
  readonly path?: string | undefined;
}

/** What came of it; counts are of what both answered alike. */
export interface FuzzResult {
  readonly seed: number;
  readonly seconds: number;
  readonly cards: number;
  readonly commands: number;
  readonly commandsPerMinute: number;
  /** Answers by status word; `cut` and `reset` for the hand. */
  readonly words: Readonly<Record<string, number>>;
  /** Commands by instruction, those of class 00 with `00`, and what they were answered. */
  readonly instructions: Readonly<Record<string, { readonly share: number; readonly done: number }>>;
  readonly divergence?: Divergence;
}

export interface Divergence {
  /** Gives the same with the same seed. */
  readonly path: string;
  /** How many steps made it so short. */
  readonly shrinks: number;
  readonly actions: readonly Action[];
  readonly what: string;
}

/** Time to shrink what was found, ms. */
const SHRINKING = 60_000;
/** Until the time is up. */
const MAX_RUNS = 2 ** 31 - 1;
const NAMES = new Map<number, string>(Object.entries(INS).map(([name, ins]) => [ins, name]));

/** Both modules said the same, and it was wrong all the same; or they did not. */
class DivergenceError extends Error {
  override readonly name = 'DivergenceError';
}

/** Counts what happened. */
class Tally {
  cards = 0;
  commands = 0;
  readonly words = new Map<string, number>();
  readonly instructions = new Map<string, { all: number; done: number }>();

  add(what: Action, position: number, answers: readonly string[]): void {
    this.commands += answers.length;
    for (const answer of answers) {
      const word = /^(?:[0-9a-f]{2})+$/.test(answer) ? answer.slice(-4) : answer;
      this.words.set(word, (this.words.get(word) ?? 0) + 1);
    }
    const name = nameInstruction(what, position);
    const entry = this.instructions.get(name) ?? { all: 0, done: 0 };
    this.instructions.set(name, entry);
    entry.all++;
    if (answers.at(-1)?.endsWith('9000') === true) entry.done++;
  }
}

function nameInstruction(what: Action, position: number): string {
  if (what.do === 'reset') return what.do;
  if (what.do === 'generate') return 'GENERATE_KEY_PAIR';
  if (what.do === 'under own') return 'LOAD_KEY';
  if ('what' in what && !('with' in what)) return what.do;
  return NAMES.get(encodeAction(what, position)[1]!) ?? 'none';
}

/** Both cards, from new, through one life. */
async function runLife(soft: Side, applet: Side, actions: readonly Action[], tally: Tally): Promise<void> {
  await Promise.all([soft.renew(), applet.renew()]);
  tally.cards++;
  for (const [position, what] of actions.entries()) {
    const [right, answer] = await Promise.all([soft.act(what, position), applet.act(what, position)]);
    const said = `command ${position}, ${JSON.stringify(what)}: soft ${right.join(' ')}, applet ${answer.join(' ')}`;
    if (answer.join(' ') !== right.join(' ')) throw new DivergenceError(said);
    if (right.some((octets) => octets.endsWith('6f00'))) throw new DivergenceError(`both say 6F00 at ${said}`);
    tally.add(what, position, right);
  }
}

/**
 * Holds the soft module against the applet on jCardSim for a while, with lives of cards that are made up as they go.
 * @throws TransportError when what a card needs is missing.
 */
export async function fuzz({ seconds, seed, apduBuffer, lacks, path }: FuzzOptions): Promise<FuzzResult> {
  const soft = new Side(await startCard({ kind: 'soft', apduBuffer }));
  const applet = new Side(await startCard({ kind: 'jcardsim', apduBuffer, lacks }));
  try {
    const tally = new Tally();
    const started = performance.now();
    const found = await search(soft, applet, tally, { seconds, seed, path });
    const took = (performance.now() - started) / 1000;
    const divergence = found === undefined ? undefined : await shrink(soft, applet, seed, found);
    return {
      seed,
      seconds: Math.round(took),
      cards: tally.cards,
      commands: tally.commands,
      commandsPerMinute: Math.round((tally.commands / took) * 60),
      words: sortCounts(tally.words),
      instructions: computeShares(tally),
      ...(divergence === undefined ? {} : { divergence }),
    };
  } finally {
    await soft.close();
    await applet.close();
  }
}

/** @returns the path of the first life that the cards live unlike. */
async function search(soft: Side, applet: Side, tally: Tally, options: FuzzOptions): Promise<string | undefined> {
  const { seconds, seed, path } = options;
  const where = path === undefined ? { numRuns: MAX_RUNS } : { path, numRuns: 1 };
  const details = await check(soft, applet, tally, seconds * 1000, { seed, ...where, endOnFailure: true });
  if (details.failed && !(details.errorInstance instanceof DivergenceError)) throw details.errorInstance;
  return details.counterexamplePath ?? undefined;
}

/** Plays a life that failed again and again, shorter each time. */
async function shrink(soft: Side, applet: Side, seed: number, path: string): Promise<Divergence> {
  const details = await check(soft, applet, new Tally(), SHRINKING, { seed, path, numRuns: MAX_RUNS });
  if (details.counterexamplePath === null || details.counterexample === null) {
    throw new Error(`seed ${seed}, path ${path}: found once and not again; a card keeps something over erase()`);
  }
  const what = details.errorInstance instanceof Error ? details.errorInstance.message : 'no message';
  const [actions] = details.counterexample;
  return { path: details.counterexamplePath, shrinks: details.numShrinks, actions, what };
}

type Life = [readonly Action[]];

async function check(
  soft: Side,
  applet: Side,
  tally: Tally,
  most: number,
  parameters: fc.Parameters<unknown>,
): Promise<fc.RunDetails<Life>> {
  const details = await fc.check(
    fc.asyncProperty(life, (actions) => runLife(soft, applet, actions, tally)),
    { ...parameters, plugins: [fc.interruptAfterTimeLimit(most)] },
  );
  // The plugin's type makes it forget that of the property.
  return details as fc.RunDetails<Life>;
}

function sortCounts(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].toSorted(([, a], [, b]) => b - a));
}

function computeShares({ instructions }: Tally): FuzzResult['instructions'] {
  const total = [...instructions.values()].reduce((sum, { all }) => sum + all, 0);
  const rows = [...instructions].toSorted(([, a], [, b]) => b.all - a.all);
  return Object.fromEntries(
    rows.map(([name, { all, done }]) => [name, { share: formatPercent(all, total), done: formatPercent(done, all) }]),
  );
}

/** With one decimal. */
function formatPercent(part: number, whole: number): number {
  return Math.round((1000 * part) / whole) / 10;
}

/** In words, for people. */
export function describeFuzz(result: FuzzResult): string {
  const words = Object.entries(result.words).map(([word, count]) => `${word} ${count}`);
  const head = `fuzzing: soft and jcardsim, seed ${result.seed}: ${result.cards} cards, ${result.commands} commands`;
  const lines = [`${head}, ${result.commandsPerMinute} a minute`, `  answered alike: ${words.join(', ')}`];
  const { divergence } = result;
  if (divergence !== undefined) {
    lines.push(
      `  NOT ALIKE: ${divergence.what}`,
      `  shortest life (${divergence.shrinks} steps of shrinking):`,
      ...divergence.actions.map((action, position) => `    ${position} ${JSON.stringify(action)}`),
      `  once more: npm run fuzz -- --seed ${result.seed} --path ${divergence.path}`,
    );
  }
  return lines.join('\n');
}
