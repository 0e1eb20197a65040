import { randomBytes } from 'node:crypto';
import { signCreditLimit } from '../../../apdu/decode-module/money/credit-load.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { decode, HonestService, load, SERVICE_KEY } from '../kit/honest-service.ts';
import { CURRENCY, type Lie, type Target } from '../kit/target.ts';
import { judged, refused } from '../kit/expect-refusal.ts';

const BITS = [0x01, 0x80];
/** Octets of a message that name the key it is checked with: a wrong name is no key of this card. */
const OF_CONTENT_ID = range(14, 18);
const OF_UNIQUE_PARENT = [24, ...range(28, 32)];
const OF_PARENT = [...range(4, 8), ...OF_UNIQUE_PARENT];
const OF_SLOT = [...OF_PARENT, ...range(60, 64)];

/** Octets that nobody who has a key has made. */
export const bogus: Attack = {
  name: 'bogus',
  title: 'change any bit of anything that has a tag',
  async *run(target) {
    const service = await HonestService.playing(target);
    yield await flipped(target, 'a card part, mode sealed', decode(service.part(1)), OF_CONTENT_ID);
    yield await flipped(target, 'a card part, mode open', decode(service.part(1, { mode: 'open' })), OF_CONTENT_ID);
    const parts = [16, 55, 56, 72, 200, 248].map((length) => decode(randomBytes(length)));
    yield await refused(target, 'random octets instead of a card part', parts, { expected: [0x6988, 0x6a88] });

    yield await flipped(target, 'a purchase', load(service.purchase({ keyId: 2 })), OF_UNIQUE_PARENT);
    yield await flipped(target, 'a segment key message', load(service.segment({ keyId: 101 })), OF_PARENT);
    const content = service.content({}, { keyId: service.contentId + 1 });
    yield await flipped(target, 'a content key message', load(content), OF_PARENT);
    const direct = { parentKind: KIND.service, parentId: SERVICE_KEY, keyId: service.contentId + 1 };
    yield await flipped(
      target,
      'a content key message under the service key',
      load(service.content({}, direct)),
      OF_PARENT,
    );
    if (target.can('marks')) {
      const [part] = service.seedParts(0, 8);
      yield await flipped(target, 'a purchase of slots', load(part!), OF_UNIQUE_PARENT);
      await target.must('a purchase of slots', load(service.seedParts(0, 8)[0]!));
      // Another slot of the purchase is another key (6988), one outside it none (6A88).
      yield await flipped(target, 'a content key message under a slot', load(service.slotContent(3)), OF_SLOT);
    }
    const messages = [0, 1, 55, 56, 64, 96, 104, 240, 255].map((length) => load(randomBytes(length)));
    yield await refused(target, 'random octets instead of a key message', messages, { expected: [0x6988, 0x6a88] });

    const order = await target.loadOrder(1_000_000n);
    yield await flipped(target, 'a load (S2)', { ins: INS.LOAD_CREDIT, data: order }, []);
    const { loadNumber, receiptsWritten } = await target.purse();
    const limit = {
      cardId: target.cardId,
      number: loadNumber + 1,
      currency: CURRENCY,
      amount: 1n,
      loadId: randomBytes(8),
    };
    const limitOrder = signCreditLimit(limit, target.keys['load-in']);
    yield await flipped(target, 'a credit limit', { ins: INS.LOAD_CREDIT, data: limitOrder }, []);
    const junk = [0, 1].map(() => ({ ins: INS.LOAD_CREDIT, data: randomBytes(64) }));
    yield await refused(target, 'random octets instead of a load', junk, { expected: [0x6988], alike: true });
    await target.must('DECODE', decode(service.part(1)));
    await target.module.closeSession();
    const acknowledgement = target.acknowledgement(receiptsWritten + 1);
    yield await flipped(
      target,
      'an acknowledgement of receipts',
      { ins: INS.ACKNOWLEDGE_RECEIPTS, data: acknowledgement },
      [],
    );
    yield await wrongKeys(target);
  },
};

/** Two bits of every octet, one after the other. */
async function flipped(target: Target, what: string, lie: Lie, naming: readonly number[]): Promise<Attempt> {
  const before = await target.state();
  const answers = new Answers();
  const wrong: string[] = [];
  for (let at = 0; at < lie.data.length; at++) {
    for (const bit of BITS) {
      const data = Uint8Array.from(lie.data, (octet, i) => (i === at ? octet ^ bit : octet));
      const { status, data: answer } = await target.send({ ...lie, data });
      answers.add(status);
      const expected = naming.includes(at) ? [0x6988, 0x6a88] : [0x6988];
      if (status === 0x9000 || answer.length > 0) wrong.push(`octet ${at} may be changed`);
      else if (!expected.includes(status))
        wrong.push(`${formatStatus(status)} for octet ${at} tells a forger something`);
    }
  }
  if ((await target.state()) !== before) wrong.push('purse or keys are not what they were');
  const note = naming.length > 0 ? '6A88 where the changed octet names a key that is not here' : undefined;
  return judged(`${what}, two bits of each of its ${lie.data.length} octets changed in turn`, answers, wrong, [note]);
}

/** Every message that an outsider could make: right in all but the key. */
async function wrongKeys(target: Target): Promise<Attempt> {
  const stranger = await HonestService.playing(target);
  const lies = [
    decode(stranger.part(1, {}, randomBytes(16))),
    {
      ins: INS.LOAD_CREDIT,
      data: Uint8Array.from(await target.loadOrder(1n), (octet, at) => (at < 48 ? octet : octet ^ 0x55)),
    },
  ];
  return refused(target, 'messages made with keys of a stranger', lies, { expected: [0x6988], alike: true });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
