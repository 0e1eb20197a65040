import { expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { openLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import type { CutPoint, SimulatedCard } from '../../../card-sim/index.ts';
import { activate } from '../../support/cards/activate.ts';
import { loadRefused } from '../../support/refusal.ts';
import { CARD_KEYS, sealPart, END, KEYS, PROFILE, SERVICE, makeSpan, START } from '../messages/messages.ts';
import {
  makeFixedTree,
  sealTreeLeaf,
  SEED_PURCHASE_ID,
  sealSeedParts,
  SEGMENT_PURCHASE_ID,
  sealSegmentPurchase,
  sealUnderSlot,
} from '../messages/purchase-messages.ts';
import { cutStages } from './cut-stages.ts';

const MIDDLE = START + 1000;
const FREE = { kind: 'free' } as const;
/** 21 seeds, three parts. */
const PARTS = sealSeedParts(40, 5, 8171);
const IN_PART = [5, 1024, 8170];
const TREE = makeFixedTree(2);
const PLACE = TREE.join();
const LEAF = sealTreeLeaf(50, PLACE);
const PATH = TREE.path(PLACE.leaf).map(({ octets }) => octets);
const SEGMENT = sealSegmentPurchase(60);

interface Stage {
  readonly name: string;
  /** Done again after a cut, whether or not the cut came after its effect. */
  readonly run: (module: DecodeModule) => Promise<unknown>;
}

async function loadConfirmed(module: DecodeModule, message: Uint8Array): Promise<void> {
  expect(openConfirm((await module.loadKey(message))!, CARD_KEYS.uplink).service).toBe(SERVICE);
}

async function deleteKey(module: DecodeModule, kind: number, id: number): Promise<void> {
  try {
    await module.deleteKey(kind, SERVICE, id);
  } catch (error) {
    // Deleted before the power went.
    if (!(error instanceof ModuleError) || error.code !== 'UNKNOWN_KEY') throw error;
  }
}

async function leavePurchase(module: DecodeModule, id: number): Promise<void> {
  const record = openLeaveRecord(await module.leave(SERVICE, id, MIDDLE), CARD_KEYS.uplink);
  expect(record).toMatchObject({ keyId: id, to: MIDDLE });
}

const STAGES: readonly Stage[] = [
  { name: 'LOAD KEY, first seed part', run: (module) => loadConfirmed(module, PARTS[1]!) },
  { name: 'LOAD KEY, another seed part', run: (module) => loadConfirmed(module, PARTS[0]!) },
  { name: 'LOAD KEY, leaf', run: (module) => loadConfirmed(module, LEAF) },
  { name: 'LOAD KEY, node', run: (module) => module.loadKey(PATH[0]!) },
  { name: 'LOAD KEY, root', run: (module) => module.loadKey(PATH[1]!) },
  { name: 'LOAD KEY, segment', run: (module) => loadConfirmed(module, SEGMENT) },
  { name: 'LEAVE of a segment', run: (module) => leavePurchase(module, SEGMENT_PURCHASE_ID) },
  { name: 'LEAVE of seeds with a part that never came', run: (module) => leavePurchase(module, SEED_PURCHASE_ID) },
  { name: 'DELETE KEY, node', run: (module) => deleteKey(module, KIND.node, 1) },
  { name: 'DELETE KEY, seeds', run: (module) => deleteKey(module, KIND.seeds, SEED_PURCHASE_ID) },
  {
    name: 'LOAD KEY, seeds where some were deleted',
    run: (module) => loadConfirmed(module, sealSeedParts(70, 0, 4)[0]!),
  },
];
const LEAVE_SEEDS = STAGES.findIndex(({ name }) => name.startsWith('LEAVE of seeds'));
const DELETE_SEEDS = STAGES.findIndex(({ name }) => name === 'DELETE KEY, seeds');

async function makeReady(card: SimulatedCard): Promise<DecodeModule> {
  const module = new DecodeModule(await card.channel());
  await module.select();
  await module.openSession(SERVICE);
  return module;
}

/** A slot opens altogether right or not at all. @returns whether it opens. */
async function canOpen(module: DecodeModule, slot: number, groups: { next: number }): Promise<boolean> {
  const said = await loadRefused(module, sealUnderSlot(slot, {}, FREE));
  if (said !== '') {
    expect(said).toBe('UNKNOWN_KEY');
    return false;
  }
  const group = groups.next++;
  expect(await module.decode(sealPart(group))).toEqual(makeSpan({ group, spanBlocks: 4 }));
  return true;
}

/** @returns whether the power did fail. */
async function play(card: SimulatedCard, cutStage: number, point: CutPoint): Promise<boolean> {
  await card.erase();
  const channel = await card.channel();
  let module = new DecodeModule(channel);
  await module.select();
  await activate(channel, PROFILE, KEYS);
  module = await makeReady(card);
  const groups = { next: 1 };
  let fired = false;
  for (const [stage, { run }] of STAGES.entries()) {
    if (stage === cutStage) await card.cut(point);
    try {
      await run(module);
    } catch (error) {
      if (!(error instanceof CardGoneError) || stage !== cutStage) throw error;
      fired = true;
      await card.insert();
      module = await makeReady(card);
      // Nothing between all and nothing is usable.
      const list = await module.listKeys();
      const seeds = list.find(({ kind }) => kind === KIND.seeds);
      if (seeds !== undefined) expect([END, MIDDLE]).toContain(seeds.to);
      for (const slot of IN_PART) await canOpen(module, slot, groups);
      if (list.some(({ kind, keyId }) => kind === KIND.node && keyId === 1)) {
        const inEpoch = sealUnderSlot(1024, { epoch: TREE.epoch, epochKey: TREE.epochKey }, FREE);
        expect(['', 'UNKNOWN_KEY']).toContain(await loadRefused(module, inEpoch));
      }
      await run(module);
    }
    // The stage is done, cut or not.
    const [first, second, third] = IN_PART;
    const there = stage < DELETE_SEEDS;
    expect(await canOpen(module, second!, groups)).toBe(there);
    expect(await canOpen(module, first!, groups)).toBe(there && stage >= 1);
    expect(await canOpen(module, third!, groups)).toBe(false);
    if (stage >= LEAVE_SEEDS) {
      for (const part of PARTS) expect(await loadRefused(module, part)).toBe('OLD_NUMBER');
      expect(await loadRefused(module, SEGMENT)).toBe('OLD_NUMBER');
    }
  }
  expect(await canOpen(module, 3, groups)).toBe(true);
  expect(await canOpen(module, 8, groups)).toBe(false);
  return fired;
}

cutStages('key delivery', STAGES, play);
