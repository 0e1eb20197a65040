import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import { Answers, type Attempt } from './attempt.ts';
import type { ModuleCommand, Target } from './target.ts';

interface ExpectedRefusal {
  /** Status words of the page, any of them. */
  readonly expected: readonly number[];
  /** Any other refusal tells a forger something, so it counts as broken. */
  readonly mustBeAlike?: boolean;
  readonly note?: string;
}

interface Remarks {
  readonly notes?: readonly (string | undefined)[];
  /** What was counted or measured, by name with its unit. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** Sends what must be refused: nothing may come out, and neither purse nor keys may change. */
export async function expectRefusal(
  target: Target,
  tried: string,
  commands: readonly ModuleCommand[],
  { expected, mustBeAlike = false, note }: ExpectedRefusal,
): Promise<Attempt> {
  const before = await target.readState();
  const answers = new Answers();
  const breaches: string[] = [];
  const unexpected = new Set<string>();
  for (const command of commands) {
    const { data, status } = await target.send(command);
    answers.add(status);
    if (status === STATUS.DONE) breaches.push('the card did it');
    else if (data.length > 0) breaches.push('the card refused, but gave something out all the same');
    else if (!expected.includes(status)) unexpected.add(formatStatus(status));
  }
  if ((await target.readState()) !== before) breaches.push('purse or keys have changed');
  const page = expected.map(formatStatus).join(' or ');
  const other = unexpected.size > 0 ? `${[...unexpected].join(', ')} came where the page has ${page}` : undefined;
  if (other !== undefined && mustBeAlike) breaches.push(`${other}: the difference tells a forger something`);
  return judge(tried, answers, breaches, { notes: [note, other] });
}

/** Sends again what may be answered again, but must not be charged or counted again. */
export async function expectSameAnswer(
  target: Target,
  tried: string,
  command: ModuleCommand,
  firstAnswer: Uint8Array,
): Promise<Attempt> {
  const state = await target.readState();
  const answers = new Answers();
  const { data, status } = await target.send(command);
  answers.add(status);
  const breaches: string[] = [];
  if ((await target.readState()) !== state) breaches.push('the card counted it again');
  const isDone = status === STATUS.DONE;
  const isSame = data.length === firstAnswer.length && data.every((octet, i) => octet === firstAnswer[i]);
  if (isDone && !isSame) breaches.push('the answer is another one');
  const note = isDone
    ? 'the card gives the first answer again, at no charge, so a lost one can be had again'
    : undefined;
  return judge(tried, answers, breaches, { notes: [note] });
}

/** @param breaches what an attacker has won; the card held where there is none. */
export function judge(
  tried: string,
  answers: Answers,
  breaches: readonly string[],
  { notes = [], figures }: Remarks = {},
): Attempt {
  const remarks = breaches.length > 0 ? [...new Set(breaches)] : notes.filter((note) => note !== undefined);
  return {
    tried,
    answers: answers.list,
    verdict: breaches.length > 0 ? 'BROKEN' : 'held',
    ...(remarks.length > 0 && { note: remarks.join('; ') }),
    ...(figures && { figures }),
  };
}

export function reportNotTried(tried: string, why: string): Attempt {
  return { tried, answers: [], verdict: 'not tried', note: why };
}
