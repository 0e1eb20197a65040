import { randomBytes } from 'node:crypto';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KeyTree, sealLeaf } from '../../../apdu/decode-module/keys/key-tree.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { decode, HonestService, load } from '../kit/honest-service.ts';
import { tagged } from '../kit/forged-message.ts';
import type { Target } from '../kit/target.ts';
import { judged, refused, untried } from '../kit/expect-refusal.ts';

const USED = [0x940b];

/** An older state, by putting back memory or by older messages. */
export const rollback: Attack = {
  name: 'rollback',
  title: 'bring back an older state of the card',
  async *run(target) {
    yield await memoryBack(target);
    yield* oldNumbers(target);
    yield* oldLoads(target);
    if (target.can('tree') && target.can('marks')) yield* oldEpoch(target);
    else yield untried('an older node of a key tree', 'the card has no key trees');
    yield* oldAcknowledgements(target);
  },
};

async function memoryBack(target: Target): Promise<Attempt> {
  const tried = "the card's whole memory copied, credit spent, and the copy put back";
  const { memory } = target.seat;
  if (memory === undefined) return untried(tried, 'the host has no way to the memory of this card');
  const service = await HonestService.playing(target);
  await target.module.closeSession();
  const copy = memory.read();
  const before = await target.purse();
  await service.open();
  await target.must('DECODE', decode(service.part(1)));
  await target.module.closeSession();
  const number = (await target.purse()).receiptsWritten;
  const first = openReceipt(await target.module.receipt(number), target.keys.receipt);
  memory.write(copy);
  await target.reset();
  const answers = new Answers();
  await service.loadBelow();
  await service.open();
  const { status } = await target.send(decode(service.part(1, { octets: 2 * 13_160 })));
  answers.add(status);
  await target.module.closeSession();
  const { spent } = await target.purse();
  const second = openReceipt(await target.module.receipt(number), target.keys.receipt);
  const seen = `two receipts ${number} of this card now say ${first.amount} and ${second.amount} micro-units`;
  const back = status === 0x9000 && spent < before.spent + first.amount + second.amount;
  if (!back) return judged(tried, answers, []);
  const note = `a soft module keeps nothing from its owner: the credit is back. Who collects receipts notices: ${seen}`;
  // A chip whose memory the host can write is none.
  if (target.seat.moduleClass === 'card') return judged(tried, answers, ['the credit is back']);
  return { tried, answers: answers.list, verdict: 'not defended', note };
}

async function* oldNumbers(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const older = target.nextNumber();
  for (let i = 0; i < 40; i++) target.nextNumber();
  const taken = target.nextNumber();
  await target.must('a purchase', load(service.purchase({ number: taken })));
  const other = { keyId: 2 };
  yield await refused(
    target,
    'another purchase under a number that was used',
    [load(service.purchase({ ...other, number: taken }))],
    {
      expected: USED,
    },
  );
  yield await refused(
    target,
    'a purchase with a number below the window, which never came',
    [load(service.purchase({ ...other, number: older }))],
    {
      expected: USED,
    },
  );
  yield await refused(target, 'a purchase with number 0', [load(service.purchase({ ...other, number: 0 }))], {
    expected: USED,
  });
}

async function* oldLoads(target: Target): AsyncIterable<Attempt> {
  const { loadNumber } = await target.purse();
  const older = [];
  for (const number of [loadNumber - 1, loadNumber, 0])
    older.push(await target.loadOrder(1_000_000n, { number: Math.max(number, 0) }));
  const lies = older.map((data) => ({ ins: INS.LOAD_CREDIT, data }));
  yield await refused(target, 'loads with the last number and older ones', lies, { expected: USED });
}

async function* oldEpoch(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const tree = new KeyTree(service.number, 2, 7, (octets) => randomBytes(octets));
  const mine = tree.join();
  const other = tree.join();
  for (const part of service.seedParts(0, 8)) await target.must('slots', load(part));
  const leaf = sealLeaf(service.number, mine, target.nextNumber(), target.serial, target.keys.downlink);
  await target.must('a leaf', load(leaf.octets));
  const first = tree.path(mine.leaf).map(({ octets }) => load(octets));
  for (const node of first) await target.must('a tree node', node);
  const { epoch, epochKey } = tree;
  const content = service.slotContent(3, { epoch }, epochKey);
  await target.must('content of the first epoch', load(content));
  tree.evict([other.leaf]);
  for (const { octets } of tree.path(mine.leaf)) await target.must('a newer tree node', load(octets));
  yield await refused(target, 'the nodes of an older epoch', first, { expected: [0x940b, 0x6988] });
  yield await refused(target, 'a content key of an older epoch', [load(content)], { expected: [0x6a88] });
  const held = await target.module.listKeys();
  const above = held.filter((entry) => entry.kind === KIND.node && entry.id !== mine.leaf);
  for (const { id } of above) await target.module.deleteKey(KIND.node, service.number, id);
  const answers = new Answers();
  for (const lie of [...first, load(content)]) answers.add((await target.send(lie)).status);
  const back = answers.list.every(({ status }) => status === '9000');
  yield {
    tried: 'the newer nodes deleted, then those of the older epoch, and its content key',
    answers: answers.list,
    verdict: back ? 'not defended' : 'held',
    note: 'a card may go back to an epoch that it was part of, and no further: it opens what was for it then, and none of what came since',
  };
}

async function* oldAcknowledgements(target: Target): AsyncIterable<Attempt> {
  for (let i = 0; i < 2; i++) {
    const service = await HonestService.playing(target);
    await target.must('DECODE', decode(service.part(1)));
    await target.module.closeSession();
  }
  const { receiptsWritten } = await target.purse();
  await target.collect();
  const state = await target.state();
  const answers = new Answers();
  for (const upTo of [receiptsWritten, receiptsWritten - 1, 0]) {
    answers.add((await target.send({ ins: INS.ACKNOWLEDGE_RECEIPTS, data: target.acknowledgement(upTo) })).status);
  }
  const wrong = (await target.state()) === state ? [] : ['receipts are due again, or no longer'];
  const note = 'an old acknowledgement is answered and changes nothing';
  yield judged('acknowledgements again, the last and older ones', answers, wrong, [note]);
  const ahead = target.acknowledgement(receiptsWritten + 5);
  const foreign = tagged(
    Uint8Array.from(ahead, (octet, at) => (at === 11 ? octet ^ 1 : octet)),
    target.keys.acknowledgement,
    16,
  );
  yield await refused(
    target,
    'acknowledgements of receipts not written yet, and of another card',
    [ahead, foreign].map((data) => ({ ins: INS.ACKNOWLEDGE_RECEIPTS, data })),
    { expected: [0x6a80] },
  );
}
