import { describe, expect, it } from 'vitest';
import { type CutPoint, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { countTally } from '../../support/tally.ts';

/** Both cards, and a chip whose MACs are made of AES-CBC. */
const CARDS = [
  { name: 'soft', kind: 'soft', lacks: [] },
  { name: 'jcardsim', kind: 'jcardsim', lacks: [] },
  { name: 'jcardsim without AES-CBC-MAC', kind: 'jcardsim', lacks: ['mac'] },
] as const;

/**
 * For each card, and each stage: the power fails before every write of it, and after the last.
 * @param play plays all stages on a card and cuts one of them there; returns whether the power did fail.
 */
export function cutStages(
  what: string,
  stages: readonly { readonly name: string }[],
  play: (card: SimulatedCard, cutStage: number, point: CutPoint) => Promise<boolean>,
): void {
  describe.each(CARDS)(`power cuts of ${what} on $name`, ({ name: where, kind, lacks }) => {
    it.each(stages.map(({ name }, index) => [name, index] as const))(
      '%s: cut before every write, and after the last',
      async (_, stage) => {
        await using card = await startCard({ kind, lacks });
        let points = 0;
        while (await play(card, stage, points)) points++;
        expect(points).toBeGreaterThan(0);
        expect(await play(card, stage, 'afterLast')).toBe(true);
        countTally('power cuts', where, points + 1, 'points');
      },
      120_000,
    );
  });
}
