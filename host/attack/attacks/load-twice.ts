import { randomBytes } from 'node:crypto';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { signCreditLimit } from '../../../apdu/decode-module/money/credit-load.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { changed, tagged } from '../kit/forged-message.ts';
import { CURRENCY, type Lie, MAXIMUM_BALANCE, type Target } from '../kit/target.ts';
import { judged, refused, repeated } from '../kit/expect-refusal.ts';

const AMOUNT = 1_000_000n;
const USED = { expected: [0x940b] } as const;
const FORGED = { expected: [0x6988], alike: true } as const;

/** Credit that was paid for once. */
export const loadTwice: Attack = {
  name: 'load-twice',
  title: 'load credit twice, or credit that nobody paid',
  async *run(target) {
    const first = await target.loadOrder(AMOUNT);
    const proof = await target.must('LOAD CREDIT', order(first));
    yield await repeated(target, 'the same order (S2) again', order(first), proof);
    await target.reset();
    yield await repeated(target, 'the same order again after a reset', order(first), proof);
    yield await sameNumber(target, first);
    const { loadNumber } = await target.purse();
    const numbered = await Promise.all(
      [0, 2, 3, 100].map((ahead) => target.loadOrder(AMOUNT, { number: loadNumber + ahead })),
    );
    yield await refused(target, 'orders that skip a number, or stay behind', numbered.map(order), USED);
    yield* proofs(target, first, proof);
    yield* otherCards(target);
    yield* limits(target);
    const { available } = await target.purse();
    const tooMuch = await target.loadOrder(MAXIMUM_BALANCE - available + AMOUNT);
    yield await refused(target, 'more than the card may hold', [order(tooMuch)], { expected: [0x9407] });
    await target.must('LOAD CREDIT', order(await target.loadOrder(AMOUNT)));
    yield await refused(target, 'the first order again after a newer one', [order(first)], USED);
  },
};

function order(data: Uint8Array): Lie {
  return { ins: INS.LOAD_CREDIT, data };
}

/** An issuer that signs two orders for one number, as it must not. */
async function sameNumber(target: Target, first: Uint8Array): Promise<Attempt> {
  const key = target.keys['load-in'];
  const more = tagged(
    changed(first, (copy) => (copy[24] = 0xff)),
    key,
    16,
  );
  const otherId = tagged(
    changed(first, (copy) => (copy[26]! ^= 1)),
    key,
    16,
  );
  const lies = [more, otherId].map(order);
  return refused(
    target,
    'a second order for a number that was used: more, and the same with another load id',
    lies,
    USED,
  );
}

async function* proofs(target: Target, first: Uint8Array, proof: Uint8Array): AsyncIterable<Attempt> {
  const next = await target.loadOrder(AMOUNT);
  const relabelled = changed(proof, (copy) => (copy[0] = KIND.loadOrder));
  const tagOfProof = changed(next, (copy) => copy.set(proof.subarray(48), 48));
  yield await refused(
    target,
    "the card's own proof (S3) as an order, also relabelled",
    [proof, relabelled, tagOfProof].map(order),
    FORGED,
  );
  const request = await target.must('LOAD CREDIT, start', { ins: INS.START_LOAD, data: new Uint8Array(0) });
  yield await refused(target, "the card's own request (S1) cut to an order", [order(request.subarray(0, 64))], FORGED);
  const more = changed(first, (copy) => (copy[25] = 0xff));
  yield await refused(target, 'a larger amount in a signed order', [order(more)], FORGED);
}

async function* otherCards(target: Target): AsyncIterable<Attempt> {
  const otherId = encodeCardId({ issuer: 0xa77ac4, moduleClass: 'card', serial: (target.serial + 1) % 2 ** 32 });
  const foreign = await target.loadOrder(AMOUNT, { cardId: otherId });
  const expected = { expected: [0x6988, 0x6a80] };
  yield await refused(
    target,
    'an order for another card',
    [order(foreign), order(tagged(foreign, randomBytes(16), 16))],
    expected,
  );
  const euros = await target.loadOrder(AMOUNT, { currency: CURRENCY + 1 });
  yield await refused(target, 'an order in another currency', [order(euros)], { expected: [0x6a80] });
}

async function* limits(target: Target): AsyncIterable<Attempt> {
  const number = (await target.purse()).loadNumber + 1;
  const fields = { cardId: target.cardId, number, currency: CURRENCY, amount: 2n * AMOUNT, loadId: randomBytes(8) };
  const limit = signCreditLimit(fields, target.keys['load-in']);
  const asLoad = changed(limit, (copy) => (copy[0] = KIND.loadOrder));
  yield await refused(target, 'a credit limit relabelled as a load', [order(asLoad)], FORGED);
  const before = await target.purse();
  const proof = await target.must('a credit limit', order(limit));
  const answers = new Answers();
  answers.add(0x9000);
  const wrong = (await target.purse()).loaded === before.loaded ? [] : ['the limit was loaded as credit'];
  yield judged('a credit limit: whether any of it becomes credit', answers, wrong, []);
  yield await repeated(target, 'the same credit limit again', order(limit), proof);
  const same = tagged(asLoad, target.keys['load-in'], 16);
  yield await refused(target, "an order with a credit limit's number, id and amount", [order(same)], USED);
  const none = signCreditLimit(
    { ...fields, number: number + 1, amount: 0n, loadId: randomBytes(8) },
    target.keys['load-in'],
  );
  await target.must('no credit limit', order(none));
}
