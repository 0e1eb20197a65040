/** One line of a measurement. */
export interface Row {
  readonly what: string;
  readonly figure: number;
  /** Empty for a ratio. */
  readonly unit: string;
  /** What the figure is to be, and whether it is. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
}

/** What one measurement brought. */
export interface Measurement {
  /** How it was measured, in a sentence or two. */
  readonly how: string;
  readonly rows: readonly Row[];
}

/** @returns nothing when there is no goal. */
export function isGoalMet({ figure, goal }: Row): boolean | undefined {
  if (goal === undefined) return undefined;
  return 'atLeast' in goal ? figure >= goal.atLeast : figure <= goal.atMost;
}

export function findMedian(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >>> 1]!;
}

/** Four digits that count. */
export function formatFigure(figure: number): string {
  return figure.toLocaleString('en', figure >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
}

export function formatGoal({ goal }: Row): string {
  if (goal === undefined) return '';
  return 'atLeast' in goal ? `at least ${formatFigure(goal.atLeast)}` : `at most ${formatFigure(goal.atMost)}`;
}
