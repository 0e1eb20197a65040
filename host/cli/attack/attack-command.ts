import { type Command, Option } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { CARD_KINDS, type CardKind, startCard, type StartCardOptions } from '../../../card-sim/index.ts';
import { listAttacks, runAttack } from '../../attack/attacks.ts';
import type { Attack, Attempt } from '../../attack/kit/attempt.ts';
import { type CardUnderTest, cardAt } from '../../attack/kit/card-under-test.ts';
import { KitFile } from '../../attack/kit/kit-file.ts';
import { Target } from '../../attack/kit/target.ts';
import { readKeySet } from '../../issuer/keys/key-set-file.ts';
import { CARD_ADDRESS_SYNTAX, type CardAddress, parseCardAddress } from '../../transport/card/card-address.ts';
import { printWaiting } from '../options/card-option.ts';
import { describeAttempt, type AttackReport, countVerdicts, describeCounts } from './attack-view.ts';

interface AttackOptions {
  readonly card?: CardAddress;
  readonly simulate?: CardKind;
  readonly wait?: true;
  readonly json?: true;
  readonly keys?: string;
  readonly kit: string;
  /** Mbit/s. */
  readonly rate: number;
}

const DEFAULT_RATE = 5;
const AFTER_HELP = `
The card must be blank, or one that the kit made before: the kit makes it its own with keys drawn at random, plays
issuer and head-end, and then lies as the host. That uses the card up: it is of no use for anything else until
its applet is deleted and installed anew. Its channel keys stay as they are.

Exit status: 1 when an attack succeeded, or could not be tried because the card refuses what is honest.

--json prints one line for each attack:
  {"attack", "title", "card", "class", "attempts": [...], "counts": {verdict: n}, "error"?: "..."}
each attempt: {"tried", "answers": [{"status", "meaning", "times"}], "verdict", "note"?, "figures"?: {name: n}}
verdicts: "held", "BROKEN", "not defended" (it works, and the design says so), "measured", "not tried"`;

/** Adds `tollcast attack` with its commands to the program. */
export function addAttackCommand(program: Command): void {
  const attack = program
    .command('attack')
    .description('lie to a blank card as a dishonest host can, and see whether it holds')
    .addHelpText('after', AFTER_HELP);
  for (const { name, title } of listAttacks(0)) {
    addOptions(attack.command(name).description(title)).action((options: AttackOptions) =>
      runAttacks(options, (one) => one.name === name),
    );
  }
  addOptions(attack.command('all').description('all attacks, one after the other')).action((options: AttackOptions) =>
    runAttacks(options, () => true),
  );
}

function addOptions(command: Command): Command {
  const address = new Option('--card <address>', CARD_ADDRESS_SYNTAX).argParser(parseCardAddress);
  const simulated = new Option(
    '--simulate <kind>',
    'a card that is started for it, whose power can be cut at any write',
  );
  return command
    .addOption(address)
    .addOption(simulated.choices(CARD_KINDS).conflicts('card'))
    .option('--wait', 'wait for the card')
    .option('--keys <file>', 'key set that the card was installed with, in JSON (default: that of simulated cards)')
    .option('--kit <file>', 'what the kit remembers of the cards that it made', '.tollcast/attack-kit.json')
    .option('--rate <Mbit/s>', 'bit rate of the stream for "share"', parseRate, DEFAULT_RATE)
    .option('--json', 'print one line of JSON for each attack')
    .addHelpText('after', AFTER_HELP);
}

async function runAttacks(options: AttackOptions, chosen: (attack: Attack) => boolean): Promise<void> {
  const installed = options.keys === undefined ? TEST_KEY_SET : await readKeySet(options.keys);
  const isTemporary =
    options.simulate !== undefined || (options.card?.kind === 'soft' && options.card.file === undefined);
  const kit = new KitFile(isTemporary ? undefined : options.kit);
  await using attacked = await takeCard(options);
  const target = await Target.prepare(attacked, kit, installed);
  const show = (lines: readonly string[]): void => {
    if (options.json !== true) process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  };
  try {
    const card = formatCardId(target.cardId);
    show([`card ${card} is the attack kit's own now, and of no use for anything else`, '']);
    const reports: AttackReport[] = [];
    const stops: TollcastError[] = [];
    for (const attack of listAttacks(options.rate * 1e6).filter(chosen)) {
      show([`${attack.name}: ${attack.title}`, '']);
      const { report, stop } = await runOneAttack(attack, target, card, (attempt) => show(describeAttempt(attempt)));
      if (stop !== undefined) {
        show([`  stopped   ${stop.message}`, '']);
        stops.push(stop);
      }
      if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
      reports.push(report);
    }
    const all = countVerdicts(reports.flatMap(({ attempts }) => attempts));
    show([`${reports.length} ${reports.length === 1 ? 'attack' : 'attacks'} on card ${card}: ${describeCounts(all)}`]);
    const [stop] = stops;
    if (all.BROKEN > 0) {
      throw new TollcastError('ATTACK_SUCCEEDED', `card ${card} does not hold; the attempts above say where`);
    }
    if (stop !== undefined) throw new TollcastError(stop.code, `not every attack was tried: ${stop.message}`);
  } finally {
    await target.close();
  }
}

async function runOneAttack(
  attack: Attack,
  target: Target,
  card: string,
  each: (attempt: Attempt) => void,
): Promise<{ report: AttackReport; stop: TollcastError | undefined }> {
  const attempts: Attempt[] = [];
  let stop: TollcastError | undefined;
  try {
    for await (const attempt of runAttack(attack, target)) {
      attempts.push(attempt);
      each(attempt);
    }
  } catch (error) {
    if (!(error instanceof TollcastError)) throw error;
    stop = error;
  }
  const head = { attack: attack.name, title: attack.title, card, class: target.card.moduleClass };
  const report = { ...head, attempts, counts: countVerdicts(attempts), ...(stop && { error: stop.message }) };
  return { report, stop };
}

/** The card that the options name, which is started for the attack where it is a simulated or a soft one. */
async function takeCard({ card, simulate, wait }: AttackOptions): Promise<CardUnderTest & AsyncDisposable> {
  if (simulate !== undefined) return startSimulatedCard({ kind: simulate });
  if (card === undefined) {
    throw new OutOfRangeError(
      'an attack uses a blank card up, so it must be named: --card ADDRESS, or --simulate soft',
    );
  }
  if (card.kind === 'soft') return startSimulatedCard({ kind: 'soft', state: card.file });
  return { ...cardAt(card, { wait, onWaiting: printWaiting }), [Symbol.asyncDispose]: async () => {} };
}

async function startSimulatedCard(options: StartCardOptions): Promise<CardUnderTest & AsyncDisposable> {
  const card = await startCard(options);
  return {
    moduleClass: card.kind === 'soft' ? 'soft' : 'card',
    power: card,
    ...(card.memory === undefined ? {} : { memory: card.memory }),
    open: () => card.channel(),
    [Symbol.asyncDispose]: () => card.close(),
  };
}

function parseRate(text: string): number {
  const rate = Number(text);
  if (!/^\d{1,5}(\.\d{1,6})?$/.test(text) || rate <= 0) {
    throw new OutOfRangeError(`"${text.slice(0, 40)}" is not a bit rate; write Mbit/s, as in 5 or 2.5`);
  }
  return rate;
}
