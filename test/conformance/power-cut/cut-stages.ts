import { describe, expect, it } from 'vitest';
import { type CutPoint, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { countTally } from '../../support/tally.ts';

/**
 * For both cards, and each stage: the power fails before every write of it, and after the last.
 * @param play plays all stages on a card and cuts one of them there; returns whether the power did fail.
 */
export function cutStages(
  what: string,
  stages: readonly { readonly name: string }[],
  play: (card: SimulatedCard, cutStage: number, point: CutPoint) => Promise<boolean>,
): void {
  describe.each(['soft', 'jcardsim'] as const)(`power cuts of ${what} on %s`, (kind) => {
    it.each(stages.map(({ name }, index) => [name, index] as const))(
      '%s: cut before every write, and after the last',
      async (_, stage) => {
        await using card = await startCard({ kind });
        let points = 0;
        while (await play(card, stage, points)) points++;
        expect(points).toBeGreaterThan(0);
        expect(await play(card, stage, 'afterLast')).toBe(true);
        countTally('power cuts', kind, points + 1, 'points');
      },
      120_000,
    );
  });
}
