import { randomBytes } from 'node:crypto';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KeyTree, sealLeaf } from '../../../apdu/decode-module/keys/key-tree.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal, reportNotTried } from '../kit/expect-refusal.ts';
import { addTag } from '../kit/forged-message.ts';
import { decodePart, HonestService, loadKey } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';

const USED = [STATUS.OLD_NUMBER];

/** The host brings back an older state, by memory or by older messages. */
export const rollback: Attack = {
  name: 'rollback',
  title: 'bring back an older state of the card',
  async *run(target) {
    yield await restoreMemory(target);
    yield* replayOldNumbers(target);
    yield* replayOldLoads(target);
    if (target.can('tree') && target.can('marks')) yield* returnToOldEpoch(target);
    else yield reportNotTried('an older node of a key tree', 'the card has no key trees');
    yield* replayOldAcknowledgements(target);
  },
};

async function restoreMemory(target: Target): Promise<Attempt> {
  const tried = "the card's whole memory copied, credit spent, and the copy put back";
  const { memory } = target.card;
  if (memory === undefined) return reportNotTried(tried, 'the host has no way to the memory of this card');
  const service = await HonestService.start(target);
  await target.module.closeSession();
  const copy = memory.read();
  const before = await target.readPurse();
  await service.openSession();
  await target.mustSucceed('DECODE', decodePart(service.sealPart(1)));
  await target.module.closeSession();
  const number = (await target.readPurse()).receiptsWritten;
  const first = openReceipt(await target.module.getReceipt(number), target.keys.receipt);
  memory.write(copy);
  await target.reset();
  const answers = new Answers();
  await service.loadSegmentAndContent();
  await service.openSession();
  const { status } = await target.send(decodePart(service.sealPart(1, { octets: 2 * 13_160 })));
  answers.add(status);
  await target.module.closeSession();
  const { spent } = await target.readPurse();
  const second = openReceipt(await target.module.getReceipt(number), target.keys.receipt);
  const seen = `two receipts ${number} of this card now say ${first.amount} and ${second.amount} micro-units`;
  const back = status === STATUS.DONE && spent < before.spent + first.amount + second.amount;
  if (!back) return judge(tried, answers, []);
  const note = `a soft module keeps nothing from its owner: the credit is back. Who collects receipts notices: ${seen}`;
  // A host that can write a chip's memory has broken the chip.
  if (target.card.moduleClass === 'card') return judge(tried, answers, ['the credit is back']);
  return { tried, answers: answers.list, verdict: 'not defended', note };
}

async function* replayOldNumbers(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const older = target.nextNumber();
  for (let i = 0; i < 40; i++) target.nextNumber();
  const taken = target.nextNumber();
  await target.mustSucceed('a purchase', loadKey(service.sealPurchase({ number: taken })));
  const other = { keyId: 2 };
  yield await expectRefusal(
    target,
    'another purchase under a number that was used',
    [loadKey(service.sealPurchase({ ...other, number: taken }))],
    {
      expected: USED,
    },
  );
  yield await expectRefusal(
    target,
    'a purchase with a number below the window, which never came',
    [loadKey(service.sealPurchase({ ...other, number: older }))],
    {
      expected: USED,
    },
  );
  yield await expectRefusal(
    target,
    'a purchase with number 0',
    [loadKey(service.sealPurchase({ ...other, number: 0 }))],
    {
      expected: USED,
    },
  );
}

async function* replayOldLoads(target: Target): AsyncIterable<Attempt> {
  const { loadNumber } = await target.readPurse();
  const older = [];
  for (const number of [loadNumber - 1, loadNumber, 0])
    older.push(await target.signLoadOrder(1_000_000n, { number: Math.max(number, 0) }));
  const commands = older.map((data) => ({ ins: INS.LOAD_CREDIT, data }));
  yield await expectRefusal(target, 'loads with the last number and older ones', commands, { expected: USED });
}

async function* returnToOldEpoch(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const tree = new KeyTree(service.number, 2, 7, (octets) => randomBytes(octets));
  const mine = tree.join();
  const other = tree.join();
  for (const part of service.sealSeedParts(0, 8)) await target.mustSucceed('slots', loadKey(part));
  const leaf = sealLeaf(service.number, mine, target.nextNumber(), target.serial, target.keys.downlink);
  await target.mustSucceed('a leaf', loadKey(leaf.octets));
  const first = tree.path(mine.leaf).map(({ octets }) => loadKey(octets));
  for (const node of first) await target.mustSucceed('a tree node', node);
  const { epoch, epochKey } = tree;
  const content = service.sealSlotContent(3, { epoch }, epochKey);
  await target.mustSucceed('content of the first epoch', loadKey(content));
  tree.evict([other.leaf]);
  for (const { octets } of tree.path(mine.leaf)) await target.mustSucceed('a newer tree node', loadKey(octets));
  yield await expectRefusal(target, 'the nodes of an older epoch', first, {
    expected: [STATUS.OLD_NUMBER, STATUS.CRYPTO],
  });
  yield await expectRefusal(target, 'a content key of an older epoch', [loadKey(content)], {
    expected: [STATUS.UNKNOWN_KEY],
  });
  const held = await target.module.listKeys();
  const above = held.filter((entry) => entry.kind === KIND.node && entry.keyId !== mine.leaf);
  for (const { keyId } of above) await target.module.deleteKey(KIND.node, service.number, keyId);
  const answers = new Answers();
  for (const command of [...first, loadKey(content)]) answers.add((await target.send(command)).status);
  const back = answers.areAll(STATUS.DONE);
  yield {
    tried: 'the newer nodes deleted, then those of the older epoch, and its content key',
    answers: answers.list,
    verdict: back ? 'not defended' : 'held',
    note: 'a card may go back to an epoch that it was part of, and no further: it opens what was for it then, and none of what came since',
  };
}

async function* replayOldAcknowledgements(target: Target): AsyncIterable<Attempt> {
  for (let i = 0; i < 2; i++) {
    const service = await HonestService.start(target);
    await target.mustSucceed('DECODE', decodePart(service.sealPart(1)));
    await target.module.closeSession();
  }
  const { receiptsWritten } = await target.readPurse();
  await target.acknowledgeReceipts();
  const state = await target.readState();
  const answers = new Answers();
  for (const upTo of [receiptsWritten, receiptsWritten - 1, 0]) {
    answers.add((await target.send({ ins: INS.ACKNOWLEDGE_RECEIPTS, data: target.signAcknowledgement(upTo) })).status);
  }
  const breaches = (await target.readState()) === state ? [] : ['receipts are due again, or no longer'];
  const note = 'an old acknowledgement is answered and changes nothing';
  yield judge('acknowledgements again, the last and older ones', answers, breaches, { notes: [note] });
  const ahead = target.signAcknowledgement(receiptsWritten + 5);
  const foreign = addTag(
    Uint8Array.from(ahead, (octet, at) => (at === 11 ? octet ^ 1 : octet)),
    target.keys.acknowledgement,
    16,
  );
  yield await expectRefusal(
    target,
    'acknowledgements of receipts not written yet, and of another card',
    [ahead, foreign].map((data) => ({ ins: INS.ACKNOWLEDGE_RECEIPTS, data })),
    { expected: [STATUS.BAD_FIELD] },
  );
}
