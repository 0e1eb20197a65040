import { randomBytes } from 'node:crypto';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { signCreditLimit } from '../../../apdu/decode-module/money/credit-load.ts';
import { LOAD_ORDER } from '../../../apdu/layout/money.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal, expectSameAnswer } from '../kit/expect-refusal.ts';
import { copyChanged, addTag } from '../kit/forged-message.ts';
import { CURRENCY, type ModuleCommand, MAXIMUM_BALANCE, type Target } from '../kit/target.ts';

const AMOUNT = 1_000_000n;
const USED = { expected: [STATUS.OLD_NUMBER] } as const;
const FORGED = { expected: [STATUS.CRYPTO], mustBeAlike: true } as const;

/** The host wants credit that was not paid for. */
export const loadTwice: Attack = {
  name: 'load-twice',
  title: 'load credit twice, or credit that nobody paid',
  async *run(target) {
    const first = await target.signLoadOrder(AMOUNT);
    const proof = await target.mustSucceed('LOAD CREDIT', sendOrder(first));
    yield await expectSameAnswer(target, 'the same order (S2) again', sendOrder(first), proof);
    await target.reset();
    yield await expectSameAnswer(target, 'the same order again after a reset', sendOrder(first), proof);
    yield await reuseNumber(target, first);
    const { loadNumber } = await target.readPurse();
    const numbered = await Promise.all(
      [0, 2, 3, 100].map((ahead) => target.signLoadOrder(AMOUNT, { number: loadNumber + ahead })),
    );
    yield await expectRefusal(target, 'orders that skip a number, or stay behind', numbered.map(sendOrder), USED);
    yield* useProofs(target, first, proof);
    yield* useOtherCards(target);
    yield* repeatCreditLimits(target);
    const { available } = await target.readPurse();
    const tooMuch = await target.signLoadOrder(MAXIMUM_BALANCE - available + AMOUNT);
    yield await expectRefusal(target, 'more than the card may hold', [sendOrder(tooMuch)], {
      expected: [STATUS.ABOVE_MAXIMUM_BALANCE],
    });
    await target.mustSucceed('LOAD CREDIT', sendOrder(await target.signLoadOrder(AMOUNT)));
    yield await expectRefusal(target, 'the first order again after a newer one', [sendOrder(first)], USED);
  },
};

function sendOrder(data: Uint8Array): ModuleCommand {
  return { ins: INS.LOAD_CREDIT, data };
}

/** Sends two orders with one number, which an issuer must not sign. */
async function reuseNumber(target: Target, first: Uint8Array): Promise<Attempt> {
  const key = target.keys['load-in'];
  const more = addTag(
    copyChanged(first, (copy) => LOAD_ORDER.view(copy, 'amount').fill(0xff, 4, 5)),
    key,
    16,
  );
  const otherId = addTag(
    copyChanged(first, (copy) => (copy[LOAD_ORDER.at.loadId]! ^= 1)),
    key,
    16,
  );
  const commands = [more, otherId].map(sendOrder);
  return expectRefusal(
    target,
    'a second order for a number that was used: more, and the same with another load id',
    commands,
    USED,
  );
}

function relabel(copy: Uint8Array): void {
  LOAD_ORDER.writeUint(copy, 'kind', KIND.loadOrder);
}

async function* useProofs(target: Target, first: Uint8Array, proof: Uint8Array): AsyncIterable<Attempt> {
  const next = await target.signLoadOrder(AMOUNT);
  const relabelled = copyChanged(proof, relabel);
  const tagOfProof = copyChanged(next, (copy) => copy.set(LOAD_ORDER.view(proof, 'tag'), LOAD_ORDER.at.tag));
  yield await expectRefusal(
    target,
    "the card's own load proof as an order, also relabelled",
    [proof, relabelled, tagOfProof].map(sendOrder),
    FORGED,
  );
  const request = await target.mustSucceed('START LOAD', { ins: INS.START_LOAD, data: new Uint8Array(0) });
  yield await expectRefusal(
    target,
    "the card's own load request cut to an order",
    [sendOrder(request.subarray(0, LOAD_ORDER.length))],
    FORGED,
  );
  const more = copyChanged(first, (copy) => LOAD_ORDER.view(copy, 'amount').fill(0xff, 5));
  yield await expectRefusal(target, 'a larger amount in a signed order', [sendOrder(more)], FORGED);
}

async function* useOtherCards(target: Target): AsyncIterable<Attempt> {
  const otherId = encodeCardId({ issuer: 0xa77ac4, moduleClass: 'card', serial: (target.serial + 1) % 2 ** 32 });
  const foreign = await target.signLoadOrder(AMOUNT, { cardId: otherId });
  const expected = { expected: [STATUS.CRYPTO, STATUS.BAD_FIELD] };
  yield await expectRefusal(
    target,
    'an order for another card',
    [sendOrder(foreign), sendOrder(addTag(foreign, randomBytes(16), 16))],
    expected,
  );
  const euros = await target.signLoadOrder(AMOUNT, { currency: CURRENCY + 1 });
  yield await expectRefusal(target, 'an order in another currency', [sendOrder(euros)], {
    expected: [STATUS.BAD_FIELD],
  });
}

async function* repeatCreditLimits(target: Target): AsyncIterable<Attempt> {
  const number = (await target.readPurse()).loadNumber + 1;
  const fields = { cardId: target.cardId, number, currency: CURRENCY, amount: 2n * AMOUNT, loadId: randomBytes(8) };
  const limit = signCreditLimit(fields, target.keys['load-in']);
  const asLoad = copyChanged(limit, relabel);
  yield await expectRefusal(target, 'a credit limit relabelled as a load', [sendOrder(asLoad)], FORGED);
  const before = await target.readPurse();
  const proof = await target.mustSucceed('a credit limit', sendOrder(limit));
  const answers = new Answers();
  answers.add(STATUS.DONE);
  const breaches = (await target.readPurse()).loaded === before.loaded ? [] : ['the limit was loaded as credit'];
  yield judge('a credit limit: whether any of it becomes credit', answers, breaches);
  yield await expectSameAnswer(target, 'the same credit limit again', sendOrder(limit), proof);
  const same = addTag(asLoad, target.keys['load-in'], 16);
  yield await expectRefusal(target, "an order with a credit limit's number, id and amount", [sendOrder(same)], USED);
  const none = signCreditLimit(
    { ...fields, number: number + 1, amount: 0n, loadId: randomBytes(8) },
    target.keys['load-in'],
  );
  await target.mustSucceed('no credit limit', sendOrder(none));
}
