import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { openLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { decode, HonestService, load, SEED_PURCHASE, SERVICE_KEY, START, u32 } from '../kit/honest-service.ts';
import type { Lie, Target } from '../kit/target.ts';
import { judged, refused, untried } from '../kit/expect-refusal.ts';

const USED = { expected: [0x940b] } as const;
/** The key is gone, or its time is over. */
const OVER = { expected: [0x9405, 0x6a88] } as const;
const FREE = { tariff: { kind: 'free', price: 0n } } as const;

/** Go, be paid back for what was not watched, and watch it. */
export const leaveReplay: Attack = {
  name: 'leave-replay',
  title: 'leave a purchase, and bring it back',
  async *run(target) {
    yield* atOnce(target);
    yield* later(target);
    yield* renewed(target);
    yield* older(target);
    if (target.can('marks')) yield* heldBack(target);
    else yield untried('a part of a seed purchase held back', 'the card sells no slots');
  },
};

function leaving(service: HonestService, keyId: number, to: number): Lie {
  return { ins: INS.LEAVE, data: u32(service.number, keyId, to) };
}

/** @returns the end that the card signs. */
async function leave(target: Target, service: HonestService, keyId: number, to: number): Promise<number> {
  const record = await target.must('LEAVE', leaving(service, keyId, to));
  return openLeaveRecord(record, target.keys.uplink).to;
}

async function* atOnce(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const purchase = load(service.purchase());
  await target.must('a purchase', purchase);
  await service.loadBelow(FREE);
  await service.open();
  await target.must('DECODE', decode(service.part(1)));
  await leave(target, service, SERVICE_KEY, 0);
  yield await refused(
    target,
    'the content key that was in RAM when the purchase was left',
    [decode(service.part(2))],
    OVER,
  );
  yield await refused(target, "the left purchase's message again", [purchase], USED);
  yield await refused(
    target,
    'keys below the left purchase again',
    [load(service.segment()), load(service.content(FREE))],
    OVER,
  );
  yield await refused(target, 'a leave that ends later', [leaving(service, SERVICE_KEY, START + 50)], {
    expected: [0x6a80],
  });
  await target.reset();
  yield await refused(target, "the left purchase's message again after a reset", [purchase, load(service.segment())], {
    expected: [0x940b, 0x9405, 0x6a88],
  });
  await target.module.deleteKey(KIND.service, service.number, SERVICE_KEY);
  yield await refused(target, "the left purchase's message again after its key was deleted", [purchase], USED);
}

async function* later(target: Target): AsyncIterable<Attempt> {
  const end = START + 100;
  const service = await HonestService.playing(target, FREE);
  const signed = await leave(target, service, SERVICE_KEY, end);
  const answers = new Answers();
  const { status } = await target.send(decode(service.part(1, { mediaTime: end - 1 })));
  answers.add(status);
  const wrong = signed === end && status === 0x9000 ? [] : ['the card signed another end than it keeps to'];
  yield judged('a leave for a time to come: the second before it', answers, wrong);
  const after = [decode(service.part(2, { mediaTime: end })), decode(service.part(2, { mediaTime: end + 1 }))];
  yield await refused(target, 'a leave for a time to come: packets from then on', after, OVER);
  yield await refused(
    target,
    'the leave taken back: another one with the end of before',
    [leaving(service, SERVICE_KEY, end + 1)],
    {
      expected: [0x6a80],
    },
  );
}

async function* renewed(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const first = load(service.purchase({ to: START + 1000 }));
  const second = load(service.purchase({ to: START + 5000 }));
  await target.must('a purchase', first);
  await target.must('its renewal', second);
  await leave(target, service, SERVICE_KEY, START + 10);
  yield await refused(
    target,
    'a left purchase extended by its own renewal, and by what it was before that',
    [second, first],
    USED,
  );
}

async function* older(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const longer = load(service.purchase({ to: START + 5000 }));
  await target.must('a newer purchase', load(service.purchase({ to: START + 1000 })));
  yield await refused(target, 'an older purchase, which ends later, over the one that is here', [longer], USED);
  await leave(target, service, SERVICE_KEY, 0);
  await target.module.deleteKey(KIND.service, service.number, SERVICE_KEY);
  yield await refused(target, 'an older purchase that was held back until after the leave', [longer], USED);
}

async function* heldBack(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  // 13 seeds: two parts, of which the host gives the card the first.
  const parts = service.seedParts(1, 1024 + 8).map(load);
  await target.must('the first part of a purchase of slots', parts[0]!);
  await target.must('content of a slot of it', load(service.slotContent(2, FREE)));
  await leave(target, service, SEED_PURCHASE, 0);
  yield await refused(
    target,
    'the part of a purchase of slots that was held back until after the leave',
    parts.slice(1),
    USED,
  );
  yield await refused(target, 'content of a slot that was left', [load(service.slotContent(2, FREE))], OVER);
  await target.module.deleteKey(KIND.seeds, service.number, SEED_PURCHASE);
  yield await refused(target, 'all parts of the left purchase after it was deleted', parts, USED);
}
