import { describe, expect, it } from 'vitest';
import {
  type CardKind,
  type ChipFeature,
  type CutPoint,
  type SimulatedCard,
  startCard,
} from '../../../card-sim/index.ts';
import { countTally } from '../../support/tally.ts';

interface CardToCut {
  readonly name: string;
  readonly kind: CardKind;
  readonly lacks?: readonly ChipFeature[];
}

const BOTH: readonly CardToCut[] = [
  { name: 'soft', kind: 'soft' },
  { name: 'jcardsim', kind: 'jcardsim' },
];
/** A chip whose MACs are made of AES-CBC. */
export const WITHOUT_MAC: CardToCut = { name: 'jcardsim without AES-CBC-MAC', kind: 'jcardsim', lacks: ['mac'] };

/**
 * For each card, and each stage: the power fails before every write of it, and after the last.
 * @param play plays all stages on a card and cuts one of them there; returns whether the power did fail.
 * @param more cards beside the two.
 */
export function cutStages(
  what: string,
  stages: readonly { readonly name: string }[],
  play: (card: SimulatedCard, cutStage: number, point: CutPoint) => Promise<boolean>,
  more: readonly CardToCut[] = [],
): void {
  describe.each([...BOTH, ...more])(`power cuts of ${what} on $name`, ({ name: where, kind, lacks }) => {
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
