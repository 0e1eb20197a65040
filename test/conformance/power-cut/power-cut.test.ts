import { expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import type { CutPoint, SimulatedCard } from '../../../card-sim/index.ts';
import { activate } from '../../support/cards/activate.ts';
import {
  signAcknowledgementUpTo,
  CARD_KEYS,
  sealPart,
  CEILINGS,
  sealContent,
  KEYS,
  signOrder,
  PROFILE,
  sealSegment,
  SERVICE,
  sealService,
} from '../messages/messages.ts';
import { cutStages, WITHOUT_MAC } from './cut-stages.ts';

interface Stage {
  readonly name: string;
  /** May be done again after a cut, whether or not the cut came after its effect. */
  readonly run: (module: DecodeModule) => Promise<unknown>;
}

const FLAT = sealContent({ kind: 'flat', price: 400_000n, segmentId: 9 }, { keyId: 5001 });
const FLAT_PART = sealPart(5, { contentKeyId: 5001 });

/**
 * A holder's card in short: everything that writes. (What the issuer writes is cut in
 * administration-power-cut.test.ts.) Each stage is cut wherever it can be, and done again.
 */
const STAGES: readonly Stage[] = [
  { name: 'LOAD CREDIT', run: (module) => module.loadCredit(signOrder(1, 10_000_000n)) },
  { name: 'LOAD KEY, purchase', run: (module) => module.loadKey(sealService(1)) },
  { name: 'DECODE, first take', run: (module) => module.decode(sealPart(1, { octets: 900_000 })) },
  { name: 'DECODE in RAM', run: (module) => module.decode(sealPart(2, { octets: 90_000 })) },
  { name: 'DECODE, another take', run: (module) => module.decode(sealPart(3, { octets: 900_000 })) },
  { name: 'LOAD CREDIT in a session', run: (module) => module.loadCredit(signOrder(2, 1_000_000n)) },
  { name: 'DECODE, flat', run: (module) => module.decode(FLAT_PART) },
  { name: 'CLOSE SESSION', run: (module) => module.closeSession() },
  { name: 'LOAD KEY, renewal', run: (module) => module.loadKey(sealService(2)) },
  {
    name: 'ACKNOWLEDGE RECEIPTS',
    async run(module) {
      await module.acknowledgeReceipts(signAcknowledgementUpTo((await module.getPurse()).receiptsWritten));
    },
  },
  { name: 'DELETE KEY', run: (module) => module.deleteKey(0x10, SERVICE, 1).catch(ignoreGoneKey) },
];

/** Deleted before the power went. */
function ignoreGoneKey(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'UNKNOWN_KEY')) throw error;
}

/** Where a card is when its power has come back: selected, RAM keys loaded, session open, as far as its life allows. */
async function resume(card: SimulatedCard): Promise<DecodeModule> {
  const module = new DecodeModule(await card.channel());
  await makeReady(module);
  return module;
}

async function makeReady(module: DecodeModule): Promise<void> {
  const { life } = await module.select();
  if (life !== 'active') return;
  if ((await module.listKeys()).some(({ kind }) => kind === 0x10)) {
    await module.loadKey(sealSegment());
    await module.loadKey(sealContent());
    await module.loadKey(FLAT);
  }
  await module.openSession(SERVICE);
}

/** loaded = balance + amounts of all receipts + torn; every receipt there, signed, and in its place. */
async function checkLaws(module: DecodeModule): Promise<{ spent: bigint; torn: bigint; amounts: bigint }> {
  const purse = await module.getPurse();
  let amounts = 0n;
  let torn = 0n;
  for (let number = 1; number <= purse.receiptsWritten; number++) {
    const receipt = openReceipt(await module.getReceipt(number), CARD_KEYS.receipt);
    amounts += receipt.amount;
    torn += receipt.torn;
    expect(receipt).toMatchObject({ number, spent: amounts + torn });
  }
  expect(purse).toMatchObject({ torn, spent: amounts + torn, loaded: purse.available + purse.taken + amounts + torn });
  return { spent: purse.spent, torn, amounts };
}

/** Plays all stages on a new card, and cuts one of them. @returns whether the power did fail. */
async function play(card: SimulatedCard, cutStage: number, point: CutPoint): Promise<boolean> {
  await card.erase();
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  await activate(channel, PROFILE, KEYS);
  await channel.close();
  let module = await resume(card);
  let fired = false;
  for (const [index, { name, run }] of STAGES.entries()) {
    // After the personalisation, and wherever the purchase is new, the RAM keys are wanted.
    if (name === 'DECODE, first take') await makeReady(module);
    if (index === cutStage) await card.cut(point);
    try {
      await run(module);
    } catch (error) {
      if (!(error instanceof CardGoneError) || index !== cutStage) throw error;
      fired = true;
      await card.insert();
      module = await resume(card);
      const active = (await module.select()).life === 'active';
      if (active) await checkLaws(module);
      await makeReady(module);
      await run(module);
    }
  }
  const { spent, torn, amounts } = await checkLaws(module);
  // 900,000 + 90,000 + 900,000 octets at 0.25 per 1,000,000, and the flat charge: never less than what was opened and
  // known to the record, never more than that and what a cut may cost.
  const price = 472_500n + 400_000n;
  const group = 400_000n;
  expect(torn < CEILINGS.quantum + group).toBe(true);
  expect(spent <= price + CEILINGS.quantum + group).toBe(true);
  expect(amounts <= price + group).toBe(true);
  if (!fired) expect({ spent, torn }).toEqual({ spent: price, torn: 0n });
  return fired;
}

cutStages('what a holder does', STAGES, play, [WITHOUT_MAC]);
