import type { CardChannel } from '../../../apdu/card-channel.ts';
import { NO_LIMITS, encodeCardLimits } from '../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import { parseResponse } from '../../../apdu/iso7816/response-apdu.ts';
import { concat } from '../../../apdu/octets.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { decode, HonestService, load, PRICE, SERVICE_KEY, u32 } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';
import { judged, refused, repeated } from '../kit/expect-refusal.ts';

const OLD = [0x9406];
const GROUPS = 6;

/** What was paid for once, again. */
export const replay: Attack = {
  name: 'replay',
  title: 'play again, or load again, what was good once',
  async *run(target) {
    const service = await HonestService.playing(target);
    const groups = Array.from({ length: GROUPS }, (_, i) => service.part(i + 1));
    let newest = new Uint8Array();
    for (const part of groups) newest = Uint8Array.from(await target.must('DECODE', decode(part)));
    const last = groups.at(-1)!;
    const whole = groups.map(decode);

    yield await repeated(target, 'the newest group again, in the same session', decode(last), newest);
    yield await refused(target, 'every older group again', whole.slice(0, -1), { expected: OLD });
    await service.open();
    yield await refused(target, 'the newest group again after OPEN SESSION again', [decode(last)], { expected: OLD });
    await service.loadBelow();
    yield await refused(target, 'the whole stream again after its keys were loaded again', whole, { expected: OLD });
    await target.module.openSession(service.number + 1);
    await service.open();
    yield await refused(target, 'the whole stream again after another session', whole, { expected: OLD });
    await target.reset();
    await service.loadBelow();
    await service.open();
    yield await refused(target, 'the whole stream again after a reset', whole, { expected: OLD });
    yield await tornReplay(target, service);
    yield await fiveStreams(target);
    yield await purchaseAgain(target);
    yield await channelAgain(target);
  },
};

/** Groups that only RAM had counted when the power went may be opened again; then they are paid again. */
async function tornReplay(target: Target, service: HonestService): Promise<Attempt> {
  const answers = new Answers();
  const before = await target.purse();
  const parts = [101, 102, 103, 104].map((group) => service.part(group));
  for (const part of parts) await target.must('DECODE', decode(part));
  await target.reset();
  await service.loadBelow();
  await service.open();
  let opened = parts.length;
  for (const part of parts) {
    const { status } = await target.send(decode(part));
    answers.add(status);
    if (status === 0x9000) opened++;
  }
  await target.module.closeSession();
  const after = await target.purse();
  const worth = (groupTicks() * BigInt(opened)) / 18_000_000n;
  const wrong = after.spent - before.spent < worth ? ['groups came out that nobody paid'] : [];
  const note = 'what the card had counted in RAM alone may come again after a power cut, and is paid again';
  return judged('a stream again whose session a reset has torn', answers, wrong, [note]);
}

function groupTicks(): bigint {
  return ticksOf({ kind: 'octets', price: PRICE }, 13_160, 200, false);
}

/** A card remembers how far it is in four streams. */
async function fiveStreams(target: Target): Promise<Attempt> {
  const services = [];
  for (let i = 0; i < 5; i++) {
    const service = await HonestService.playing(target);
    await target.must('DECODE', decode(service.part(5)));
    services.push(service);
  }
  const first = services[0]!;
  await target.must('a segment key', load(first.segment()));
  await target.must('a content key', load(first.content()));
  await first.open();
  const before = await target.purse();
  const answers = new Answers();
  const { status } = await target.send(decode(first.part(4)));
  answers.add(status);
  const { usedTicks } = await target.purse();
  const charged = usedTicks - before.usedTicks;
  const wrong = status === 0x9000 && charged < groupTicks() ? ['an old group came out that nobody paid'] : [];
  const note = status === 0x9000 ? 'its mark was forgotten, so it opens; but it is charged like a new one' : undefined;
  return judged('an old group after four other streams pushed its mark out', answers, wrong, [note]);
}

async function purchaseAgain(target: Target): Promise<Attempt> {
  const service = new HonestService(target);
  const purchase = load(service.purchase());
  await target.must('a purchase', purchase);
  await target.module.deleteKey(KIND.service, service.number, SERVICE_KEY);
  const gone = concat(Uint8Array.of(KIND.service), u32(service.number, SERVICE_KEY));
  const lies = [purchase, purchase, { ins: INS.DELETE_KEY, data: gone }];
  return refused(target, "a purchase's message again after its key was deleted", lies, { expected: [0x940b, 0x6a88] });
}

/** All that the issuer sends through the secure channel, recorded and sent again. */
async function channelAgain(target: Target): Promise<Attempt> {
  const recorded: Uint8Array[] = [];
  const recorder = (channel: CardChannel): CardChannel => ({
    atr: channel.atr,
    async transmit(command) {
      recorded.push(command.slice());
      return channel.transmit(command);
    },
    close: () => channel.close(),
  });
  const issuer = await target.administer(recorder);
  await issuer.storeData(DGI.limits, encodeCardLimits(NO_LIMITS), false);
  await target.module.closeSession();
  const state = await target.state();
  const answers = new Answers();
  const wrong: string[] = [];
  for (const [i, command] of recorded.entries()) {
    const { status } = parseResponse(await target.transmit(command));
    answers.add(status);
    if (i > 0 && status === 0x9000) wrong.push('the card took an old session for a new one');
  }
  await target.module.select();
  if ((await target.state()) !== state) wrong.push('purse or keys are not what they were');
  return judged("the issuer's session, recorded and sent again", answers, wrong, [
    'INITIALIZE UPDATE alone may be 9000',
  ]);
}
