import { expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import type { CutPoint, SimulatedCard } from '../../../card-sim/index.ts';
import { activate } from '../../support/cards/activate.ts';
import {
  CEILINGS,
  KEYS,
  PROFILE,
  sealContent,
  sealPart,
  sealSegment,
  sealService,
  SERVICE,
  signOrder,
} from '../messages/messages.ts';
import { cutStages } from './cut-stages.ts';

/** Whole quanta, so that a cut in a flat charge tears nothing off. */
const PRICES = { A: 2n * CEILINGS.quantum, B: 3n * CEILINGS.quantum } as const;
type Programme = keyof typeof PRICES;

/** What is watched, in this order. */
const WATCHED: readonly Programme[] = ['A', 'B', 'A', 'B', 'A'];
const STAGES = WATCHED.map((programme, index) => ({ name: `DECODE of ${programme}, ${index + 1}` }));

async function resume(card: SimulatedCard): Promise<DecodeModule> {
  const module = new DecodeModule(await card.channel());
  await module.select();
  await module.loadKey(sealSegment());
  await module.openSession(SERVICE);
  return module;
}

/** Watches A, B, A, B, A; one of these is cut and done again. @returns whether the power did fail. */
async function play(card: SimulatedCard, cutStage: number, point: CutPoint): Promise<boolean> {
  await card.erase();
  const channel = await card.channel();
  const issued = new DecodeModule(channel);
  await issued.select();
  await activate(channel, PROFILE, KEYS);
  await issued.loadCredit(signOrder(1, 10_000_000n));
  await issued.loadKey(sealService(1));
  await channel.close();
  let module = await resume(card);
  let fired = false;
  for (const [index, programme] of WATCHED.entries()) {
    const segmentId = programme === 'A' ? 100 : 101;
    const watch = async (): Promise<void> => {
      await module.loadKey(sealContent({ kind: 'flat', price: PRICES[programme], segmentId }));
      if (index === cutStage && !fired) await card.cut(point);
      await module.decode(sealPart(index + 1));
    };
    try {
      await watch();
    } catch (error) {
      if (!(error instanceof CardGoneError) || index !== cutStage) throw error;
      fired = true;
      await card.insert();
      module = await resume(card);
      await watch();
    }
  }
  await module.closeSession();
  expect(await module.getPurse()).toMatchObject({ spent: PRICES.A + PRICES.B, torn: 0n });
  return fired;
}

cutStages('flat prices, which are paid once', STAGES, play);
