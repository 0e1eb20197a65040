import { randomInt } from 'node:crypto';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { decode, END, HonestService, load, START } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';
import { judged, refused } from '../kit/expect-refusal.ts';

const OUTSIDE = { expected: [0x9405] } as const;
const FREE = { tariff: { kind: 'free', price: 0n } } as const;
const T = START + 100;

/** Plaintext of a time that was not bought. */
export const time: Attack = {
  name: 'time',
  title: 'watch before, after, and against the clock',
  async *run(target) {
    const service = await HonestService.playing(target);
    const at = (mediaTime: number, group = 1) => decode(service.part(group, { mediaTime }));
    yield await refused(target, 'packets of before the validity', [at(START - 1), at(START - 86_400)], OUTSIDE);
    yield await refused(target, 'packets of after the validity', [at(END), at(END + 1), at(END + 86_400)], OUTSIDE);
    const mad = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, randomInt(2 ** 30)];
    const tried = 'a mad head-end: authentic packets of 1970, 2038, 2106 and at random';
    yield await refused(
      target,
      tried,
      mad.map((when) => at(when)),
      OUTSIDE,
    );
    yield await goesOn(target, service);
    yield* subscription(target);
  },
};

async function goesOn(target: Target, service: HonestService): Promise<Attempt> {
  const answers = new Answers();
  answers.add((await target.send(decode(service.part(1, { mediaTime: END - 1 })))).status);
  answers.add((await target.send(decode(service.part(2, { mediaTime: START })))).status);
  const right = answers.list.every(({ status }) => status === '9000');
  const wrong = right ? [] : ['one packet with a mad time spoils what comes after it'];
  return judged('right packets after the mad ones, the last second first', answers, wrong, [
    'a mad time harms itself alone',
  ]);
}

async function* subscription(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  await target.must('a subscription to T', load(service.purchase({ to: T })));
  await service.loadBelow(FREE);
  await service.open();
  const at = (mediaTime: number, group: number) => decode(service.part(group, { mediaTime }));
  await target.must('the last second of a subscription', at(T - 1, 1));
  yield await refused(
    target,
    'a subscription to T: packets of T, T+1 and T+1h',
    [at(T, 2), at(T + 1, 2), at(T + 3600, 2)],
    OUTSIDE,
  );
  await target.must('a segment key', load(service.segment({ to: 0xffff_ffff })));
  await target.must('a content key', load(service.content(FREE, { to: 0xffff_ffff })));
  yield await refused(target, 'keys below it with a later end, then packets of T', [at(T, 2), at(T + 1, 2)], OUTSIDE);
  const late = [
    load(service.segment({ keyId: 101, from: T, to: T + 50 })),
    load(service.content(FREE, { from: T, to: T + 50 })),
  ];
  yield await refused(target, 'keys that begin where the subscription ends', late, OUTSIDE);
  await target.reset();
  await service.loadBelow(FREE);
  await service.open();
  yield await refused(
    target,
    "the host's clock turned back and the card reset, then packets of T",
    [at(T, 2), at(T + 1, 2)],
    OUTSIDE,
  );
  yield await recording(target, service);
  await target.must('a renewal', load(service.purchase({ to: T + 100 })));
  await service.loadBelow(FREE);
  await target.must('plaintext after the renewal', at(T + 1, 20));
  yield await refused(target, 'after a renewal to T+100: packets of T+100', [at(T + 100, 21)], OUTSIDE);
}

/** Ciphertext keeps. */
async function recording(target: Target, service: HonestService): Promise<Attempt> {
  const answers = new Answers();
  const { status } = await target.send(decode(service.part(10, { mediaTime: T - 50 })));
  answers.add(status);
  return {
    tried: 'a recording of the time before T that was never opened, opened after T',
    answers: answers.list,
    verdict: status === 0x9000 ? 'not defended' : 'held',
    note: 'it opens, and is charged as any group: that time was bought; a card has no clock to say that it is late',
  };
}
