import type { CardChannel } from '../../../apdu/card-channel.ts';
import { NO_LIMITS, encodeCardLimits } from '../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { ticksOf } from '../../../apdu/decode-module/money/tariff.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { parseResponse } from '../../../apdu/iso7816/response-apdu.ts';
import { concat } from '../../../apdu/octets.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal, expectSameAnswer } from '../kit/expect-refusal.ts';
import { decodePart, HonestService, loadKey, PRICE, SERVICE_KEY_ID, encodeU32 } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';

const OLD = [STATUS.OLD_GROUP];
const GROUPS = 6;

/** The host repeats what was paid for once. */
export const replay: Attack = {
  name: 'replay',
  title: 'play or load again what was paid for once',
  async *run(target) {
    const service = await HonestService.start(target);
    const groups = Array.from({ length: GROUPS }, (_, i) => service.sealPart(i + 1));
    let newest = new Uint8Array();
    for (const part of groups) newest = Uint8Array.from(await target.mustSucceed('DECODE', decodePart(part)));
    const last = groups.at(-1)!;
    const whole = groups.map(decodePart);

    yield await expectSameAnswer(target, 'the newest group again, in the same session', decodePart(last), newest);
    yield await expectRefusal(target, 'every older group again', whole.slice(0, -1), { expected: OLD });
    await service.openSession();
    yield await expectRefusal(target, 'the newest group again after OPEN SESSION again', [decodePart(last)], {
      expected: OLD,
    });
    await service.loadSegmentAndContent();
    yield await expectRefusal(target, 'the whole stream again after its keys were loaded again', whole, {
      expected: OLD,
    });
    await target.module.openSession(service.number + 1);
    await service.openSession();
    yield await expectRefusal(target, 'the whole stream again after another session', whole, { expected: OLD });
    await target.reset();
    await service.loadSegmentAndContent();
    await service.openSession();
    yield await expectRefusal(target, 'the whole stream again after a reset', whole, { expected: OLD });
    yield await replayAfterTear(target, service);
    yield await playFiveStreams(target);
    yield await repeatPurchase(target);
    yield await replayChannel(target);
  },
};

/** Repeats groups that only RAM had counted when the power failed; they open, and are charged again. */
async function replayAfterTear(target: Target, service: HonestService): Promise<Attempt> {
  const answers = new Answers();
  const before = await target.readPurse();
  const parts = [101, 102, 103, 104].map((group) => service.sealPart(group));
  for (const part of parts) await target.mustSucceed('DECODE', decodePart(part));
  await target.reset();
  await service.loadSegmentAndContent();
  await service.openSession();
  let opened = parts.length;
  for (const part of parts) {
    const { status } = await target.send(decodePart(part));
    answers.add(status);
    if (status === STATUS.DONE) opened++;
  }
  await target.module.closeSession();
  const after = await target.readPurse();
  const worth = (computeGroupTicks() * BigInt(opened)) / 18_000_000n;
  const breaches = after.spent - before.spent < worth ? ['groups came out that nobody paid'] : [];
  const note = 'what the card had counted in RAM alone may come again after a power cut, and is paid again';
  return judge('a stream again whose session a reset has torn', answers, breaches, { notes: [note] });
}

function computeGroupTicks(): bigint {
  return ticksOf({ kind: 'octets', price: PRICE }, 13_160, 200, false);
}

/** Plays five streams, as a card keeps marks of four. */
async function playFiveStreams(target: Target): Promise<Attempt> {
  const services = [];
  for (let i = 0; i < 5; i++) {
    const service = await HonestService.start(target);
    await target.mustSucceed('DECODE', decodePart(service.sealPart(5)));
    services.push(service);
  }
  const first = services[0]!;
  await target.mustSucceed('a segment key', loadKey(first.sealSegment()));
  await target.mustSucceed('a content key', loadKey(first.sealContent()));
  await first.openSession();
  const before = await target.readPurse();
  const answers = new Answers();
  const { status } = await target.send(decodePart(first.sealPart(4)));
  answers.add(status);
  const { usedTicks } = await target.readPurse();
  const charged = usedTicks - before.usedTicks;
  const breaches =
    status === STATUS.DONE && charged < computeGroupTicks() ? ['an old group came out that nobody paid'] : [];
  const note =
    status === STATUS.DONE ? 'its mark was forgotten, so it opens; but it is charged like a new one' : undefined;
  return judge('an old group after four other streams pushed its mark out', answers, breaches, { notes: [note] });
}

async function repeatPurchase(target: Target): Promise<Attempt> {
  const service = new HonestService(target);
  const purchase = loadKey(service.sealPurchase());
  await target.mustSucceed('a purchase', purchase);
  await target.module.deleteKey(KIND.service, service.number, SERVICE_KEY_ID);
  const gone = concat(Uint8Array.of(KIND.service), encodeU32(service.number, SERVICE_KEY_ID));
  const commands = [purchase, purchase, { ins: INS.DELETE_KEY, data: gone }];
  return expectRefusal(target, "a purchase's message again after its key was deleted", commands, {
    expected: [STATUS.OLD_NUMBER, STATUS.UNKNOWN_KEY],
  });
}

/** Records a session of the issuer's secure channel and sends it again. */
async function replayChannel(target: Target): Promise<Attempt> {
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
  const state = await target.readState();
  const answers = new Answers();
  const breaches: string[] = [];
  for (const [i, command] of recorded.entries()) {
    const { status } = parseResponse(await target.transmit(command));
    answers.add(status);
    if (i > 0 && status === STATUS.DONE) breaches.push('the card took an old session for a new one');
  }
  await target.module.select();
  if ((await target.readState()) !== state) breaches.push('purse or keys are not what they were');
  return judge("the issuer's session, recorded and sent again", answers, breaches, {
    notes: ['INITIALIZE UPDATE alone may be 9000'],
  });
}
