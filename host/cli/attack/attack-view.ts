import type { AnswerCount, Attempt, Verdict } from '../../attack/kit/attempt.ts';

/** The result of one attack. */
export interface AttackReport {
  readonly attack: string;
  readonly title: string;
  /** Card id. */
  readonly card: string;
  readonly class: 'card' | 'soft';
  readonly attempts: readonly Attempt[];
  readonly counts: Readonly<Record<Verdict, number>>;
  /** Why the attack was not tried to its end: the card refused an honest command, or left. */
  readonly error?: string;
}

const WIDTH = 100;
const INDENT = '            ';

export function countVerdicts(attempts: readonly Attempt[]): Record<Verdict, number> {
  const counts = { held: 0, BROKEN: 0, 'not defended': 0, measured: 0, 'not tried': 0 };
  for (const { verdict } of attempts) counts[verdict]++;
  return counts;
}

/** One attempt for people: what was tried, what the card answered, the verdict and why. */
export function describeAttempt({ tried, answers, verdict, note }: Attempt): string[] {
  return [
    ...foldLabelled('tried', tried),
    ...(answers.length === 0 ? [] : foldLabelled('the card', answers.map(describeAnswer).join('; '))),
    ...foldLabelled('verdict', note === undefined ? verdict : `${verdict}: ${note}`),
    '',
  ];
}

function describeAnswer({ status, meaning, times }: AnswerCount): string {
  return times === 1 ? `${status}, ${meaning}` : `${times} times ${status}, ${meaning}`;
}

/** Folds a text at spaces behind its label. */
function foldLabelled(label: string, text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.map((folded, i) => `${i === 0 ? `  ${label}`.padEnd(INDENT.length) : INDENT}${folded}`);
}

/** The counts in words, without those that are 0. */
export function describeCounts(counts: Readonly<Record<Verdict, number>>): string {
  const words = Object.entries(counts).flatMap(([verdict, count]) => (count === 0 ? [] : [`${count} ${verdict}`]));
  return words.length === 0 ? 'nothing was tried' : words.join(', ');
}
