import { randomInt } from 'node:crypto';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal } from '../kit/expect-refusal.ts';
import { decodePart, END, HonestService, loadKey, START } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';

const OUTSIDE = { expected: [STATUS.OUTSIDE_VALIDITY] } as const;
const FREE = { tariff: { kind: 'free', price: 0n } } as const;
const CUTOFF = START + 100;

/** The host wants plaintext of a time that was not bought. */
export const time: Attack = {
  name: 'time',
  title: 'watch what was not bought, or at another time',
  async *run(target) {
    const service = await HonestService.start(target);
    const at = (mediaTime: number, group = 1) => decodePart(service.sealPart(group, { mediaTime }));
    yield await expectRefusal(target, 'packets of before the validity', [at(START - 1), at(START - 86_400)], OUTSIDE);
    yield await expectRefusal(
      target,
      'packets of after the validity',
      [at(END), at(END + 1), at(END + 86_400)],
      OUTSIDE,
    );
    const mad = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, randomInt(2 ** 30)];
    const tried = 'a mad head-end: authentic packets of 1970, 2038, 2106 and at random';
    yield await expectRefusal(
      target,
      tried,
      mad.map((when) => at(when)),
      OUTSIDE,
    );
    yield await playAfterRefusals(target, service);
    yield* playOutsidePurchase(target);
  },
};

async function playAfterRefusals(target: Target, service: HonestService): Promise<Attempt> {
  const answers = new Answers();
  answers.add((await target.send(decodePart(service.sealPart(1, { mediaTime: END - 1 })))).status);
  answers.add((await target.send(decodePart(service.sealPart(2, { mediaTime: START })))).status);
  const right = answers.areAll(STATUS.DONE);
  const breaches = right ? [] : ['one packet with a mad time spoils what comes after it'];
  return judge('right packets after the mad ones, the last second first', answers, breaches, {
    notes: ['a mad time harms itself alone'],
  });
}

async function* playOutsidePurchase(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  await target.mustSucceed('a subscription to T', loadKey(service.sealPurchase({ to: CUTOFF })));
  await service.loadSegmentAndContent(FREE);
  await service.openSession();
  const at = (mediaTime: number, group: number) => decodePart(service.sealPart(group, { mediaTime }));
  await target.mustSucceed('the last second of a subscription', at(CUTOFF - 1, 1));
  yield await expectRefusal(
    target,
    'a subscription to T: packets of T, T+1 and T+1h',
    [at(CUTOFF, 2), at(CUTOFF + 1, 2), at(CUTOFF + 3600, 2)],
    OUTSIDE,
  );
  await target.mustSucceed('a segment key', loadKey(service.sealSegment({ to: 0xffff_ffff })));
  await target.mustSucceed('a content key', loadKey(service.sealContent(FREE, { to: 0xffff_ffff })));
  yield await expectRefusal(
    target,
    'keys below it with a later end, then packets of T',
    [at(CUTOFF, 2), at(CUTOFF + 1, 2)],
    OUTSIDE,
  );
  const late = [
    loadKey(service.sealSegment({ keyId: 101, from: CUTOFF, to: CUTOFF + 50 })),
    loadKey(service.sealContent(FREE, { from: CUTOFF, to: CUTOFF + 50 })),
  ];
  yield await expectRefusal(target, 'keys that begin where the subscription ends', late, OUTSIDE);
  await target.reset();
  await service.loadSegmentAndContent(FREE);
  await service.openSession();
  yield await expectRefusal(
    target,
    "the host's clock turned back and the card reset, then packets of T",
    [at(CUTOFF, 2), at(CUTOFF + 1, 2)],
    OUTSIDE,
  );
  yield await playRecording(target, service);
  await target.mustSucceed('a renewal', loadKey(service.sealPurchase({ to: CUTOFF + 100 })));
  await service.loadSegmentAndContent(FREE);
  await target.mustSucceed('plaintext after the renewal', at(CUTOFF + 1, 20));
  yield await expectRefusal(target, 'after a renewal to T+100: packets of T+100', [at(CUTOFF + 100, 21)], OUTSIDE);
}

/** Opens a recording late: ciphertext does not expire, but its media time was bought. */
async function playRecording(target: Target, service: HonestService): Promise<Attempt> {
  const answers = new Answers();
  const { status } = await target.send(decodePart(service.sealPart(10, { mediaTime: CUTOFF - 50 })));
  answers.add(status);
  return {
    tried: 'a recording of the time before T that was never opened, opened after T',
    answers: answers.list,
    verdict: status === STATUS.DONE ? 'not defended' : 'held',
    note: 'it opens, and is charged as any group: that time was bought; a card has no clock to say that it is late',
  };
}
