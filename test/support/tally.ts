import { appendFileSync } from 'node:fs';

/**
 * Counts for one of the lines that the whole test run ends with, as `power cuts: soft 400 points, jcardsim 4000
 * points`; scripts/test adds up.
 * @param what the line, as `power cuts`.
 * @param where as `soft`.
 * @param unit as `points`.
 */
export function countTally(what: string, where: string, count: number, unit: string): void {
  const file = process.env['TOLLCAST_TALLY'];
  if (file !== undefined) appendFileSync(file, `${what}\t${where}\t${count}\t${unit}\n`);
}
