import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import { Answers, type Attempt } from './attempt.ts';
import type { Lie, Target } from './target.ts';

interface Expectation {
  /** Status words of the page, any of them. */
  readonly expected: readonly number[];
  /** Another refusal tells a forger something: it counts as broken. */
  readonly alike?: boolean;
  readonly note?: string;
}

/** Tries what must be refused: nothing may come out, and neither purse nor keys may change. */
export async function refused(
  target: Target,
  tried: string,
  lies: readonly Lie[],
  expectation: Expectation,
): Promise<Attempt> {
  const before = await target.state();
  const answers = new Answers();
  const wrong: string[] = [];
  const odd = new Set<string>();
  for (const lie of lies) {
    const { data, status } = await target.send(lie);
    answers.add(status);
    if (status === 0x9000) wrong.push('the card did it');
    else if (data.length > 0) wrong.push('the card refused, and gave something out all the same');
    else if (!expectation.expected.includes(status)) odd.add(formatStatus(status));
  }
  if ((await target.state()) !== before) wrong.push('purse or keys are not what they were');
  const page = expectation.expected.map(formatStatus).join(' or ');
  const other = odd.size > 0 ? `${[...odd].join(', ')} came where the page has ${page}` : undefined;
  if (other !== undefined && expectation.alike === true)
    wrong.push(`${other}: the difference tells a forger something`);
  return judged(tried, answers, wrong, [expectation.note, other]);
}

/** Tries what may be answered again, and must not be charged or counted again. */
export async function repeated(target: Target, tried: string, lie: Lie, before: Uint8Array): Promise<Attempt> {
  const state = await target.state();
  const answers = new Answers();
  const { data, status } = await target.send(lie);
  answers.add(status);
  const wrong: string[] = [];
  if ((await target.state()) !== state) wrong.push('it counted again');
  const same = data.length === before.length && data.every((octet, i) => octet === before[i]);
  if (status === 0x9000 && !same) wrong.push('the answer is another one');
  const note =
    status === 0x9000 ? 'the answer is the first one again, at no charge: a lost one can be had again' : undefined;
  return judged(tried, answers, wrong, [note]);
}

/** @param wrong what an attacker has won; nothing: held. */
export function judged(
  tried: string,
  answers: Answers,
  wrong: readonly string[],
  notes: readonly (string | undefined)[] = [],
  figures?: Readonly<Record<string, number>>,
): Attempt {
  const told = wrong.length > 0 ? [...new Set(wrong)] : notes.filter((note) => note !== undefined);
  return {
    tried,
    answers: answers.list,
    verdict: wrong.length > 0 ? 'BROKEN' : 'held',
    ...(told.length > 0 && { note: told.join('; ') }),
    ...(figures && { figures }),
  };
}

export function untried(tried: string, why: string): Attempt {
  return { tried, answers: [], verdict: 'not tried', note: why };
}
