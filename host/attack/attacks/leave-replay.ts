import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { openLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { REQUEST_DATA } from '../../../apdu/layout/requests.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal, reportNotTried } from '../kit/expect-refusal.ts';
import {
  decodePart,
  HonestService,
  loadKey,
  SEED_PURCHASE_ID,
  SERVICE_KEY_ID,
  START,
  encodeU32,
} from '../kit/honest-service.ts';
import type { ModuleCommand, Target } from '../kit/target.ts';

const USED = { expected: [STATUS.OLD_NUMBER] } as const;
/** The key is gone or its validity is over. */
const OVER = { expected: [STATUS.OUTSIDE_VALIDITY, STATUS.UNKNOWN_KEY] } as const;
const FREE = { tariff: { kind: 'free', price: 0n } } as const;

/** The host leaves, gets its money back, and watches all the same. */
export const leaveReplay: Attack = {
  name: 'leave-replay',
  title: 'leave a purchase and bring it back',
  async *run(target) {
    yield* leaveAtOnce(target);
    yield* leaveLater(target);
    yield* renewAfterLeave(target);
    yield* loadOlderPurchase(target);
    yield await signFalseRecords(target);
    if (target.can('marks')) yield* loadHeldBackPart(target);
    else yield reportNotTried('a part of a seed purchase held back', 'the card sells no slots');
  },
};

function makeLeave(service: HonestService, keyId: number, to: number): ModuleCommand {
  return { ins: INS.LEAVE, data: encodeU32(service.number, keyId, to) };
}

/** Leaves a purchase. @returns the end that the card signs. */
async function leave(target: Target, service: HonestService, keyId: number, to: number): Promise<number> {
  const record = await target.mustSucceed('LEAVE', makeLeave(service, keyId, to));
  return openLeaveRecord(record, target.keys.uplink).to;
}

async function* leaveAtOnce(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const purchase = loadKey(service.sealPurchase());
  await target.mustSucceed('a purchase', purchase);
  await service.loadSegmentAndContent(FREE);
  await service.openSession();
  await target.mustSucceed('DECODE', decodePart(service.sealPart(1)));
  await leave(target, service, SERVICE_KEY_ID, 0);
  yield await expectRefusal(
    target,
    'the content key that was in RAM when the purchase was left',
    [decodePart(service.sealPart(2))],
    OVER,
  );
  yield await expectRefusal(target, "the left purchase's message again", [purchase], USED);
  yield await expectRefusal(
    target,
    'keys below the left purchase again',
    [loadKey(service.sealSegment()), loadKey(service.sealContent(FREE))],
    OVER,
  );
  yield await expectRefusal(target, 'a leave that ends later', [makeLeave(service, SERVICE_KEY_ID, START + 50)], {
    expected: [STATUS.BAD_FIELD],
  });
  await target.reset();
  yield await expectRefusal(
    target,
    "the left purchase's message again after a reset",
    [purchase, loadKey(service.sealSegment())],
    {
      expected: [STATUS.OLD_NUMBER, STATUS.OUTSIDE_VALIDITY, STATUS.UNKNOWN_KEY],
    },
  );
  await target.module.deleteKey(KIND.service, service.number, SERVICE_KEY_ID);
  yield await expectRefusal(target, "the left purchase's message again after its key was deleted", [purchase], USED);
}

async function* leaveLater(target: Target): AsyncIterable<Attempt> {
  const end = START + 100;
  const service = await HonestService.start(target, FREE);
  const signed = await leave(target, service, SERVICE_KEY_ID, end);
  const answers = new Answers();
  const { status } = await target.send(decodePart(service.sealPart(1, { mediaTime: end - 1 })));
  answers.add(status);
  const breaches = signed === end && status === STATUS.DONE ? [] : ['the card signed another end than it keeps to'];
  yield judge('a leave for a time to come: the second before it', answers, breaches);
  const after = [
    decodePart(service.sealPart(2, { mediaTime: end })),
    decodePart(service.sealPart(2, { mediaTime: end + 1 })),
  ];
  yield await expectRefusal(target, 'a leave for a time to come: packets from then on', after, OVER);
  yield await expectRefusal(
    target,
    'the leave taken back: another one with the end of before',
    [makeLeave(service, SERVICE_KEY_ID, end + 1)],
    {
      expected: [STATUS.BAD_FIELD],
    },
  );
}

async function* renewAfterLeave(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const first = loadKey(service.sealPurchase({ to: START + 1000 }));
  const second = loadKey(service.sealPurchase({ to: START + 5000 }));
  await target.mustSucceed('a purchase', first);
  await target.mustSucceed('its renewal', second);
  await leave(target, service, SERVICE_KEY_ID, START + 10);
  yield await expectRefusal(
    target,
    'a left purchase extended by its own renewal, and by what it was before that',
    [second, first],
    USED,
  );
}

async function* loadOlderPurchase(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  const longer = loadKey(service.sealPurchase({ to: START + 5000 }));
  await target.mustSucceed('a newer purchase', loadKey(service.sealPurchase({ to: START + 1000 })));
  yield await expectRefusal(target, 'an older purchase, which ends later, over the one that is here', [longer], USED);
  await leave(target, service, SERVICE_KEY_ID, 0);
  await target.module.deleteKey(KIND.service, service.number, SERVICE_KEY_ID);
  yield await expectRefusal(target, 'an older purchase that was held back until after the leave', [longer], USED);
}

/** Has the card sign as a request what it signs of itself alone: that it left, or took a message. */
async function signFalseRecords(target: Target): Promise<Attempt> {
  const kinds = [KIND.leaveRecord, KIND.confirm, KIND.receipt, KIND.loadProof];
  const data = new Uint8Array(REQUEST_DATA.length);
  const commands = kinds.map((p2) => ({ ins: INS.SIGN_REQUEST, data, p2 }));
  return expectRefusal(target, 'a leave record or a confirm as a request', commands, {
    expected: [STATUS.WRONG_PARAMETERS],
  });
}

async function* loadHeldBackPart(target: Target): AsyncIterable<Attempt> {
  const service = new HonestService(target);
  // The purchase has 13 seeds in two parts; the host gives the card only the first.
  const parts = service.sealSeedParts(1, 1024 + 8).map(loadKey);
  await target.mustSucceed('the first part of a purchase of slots', parts[0]!);
  await target.mustSucceed('content of a slot of it', loadKey(service.sealSlotContent(2, FREE)));
  await leave(target, service, SEED_PURCHASE_ID, 0);
  yield await expectRefusal(
    target,
    'the part of a purchase of slots that was held back until after the leave',
    parts.slice(1),
    USED,
  );
  yield await expectRefusal(
    target,
    'content of a slot that was left',
    [loadKey(service.sealSlotContent(2, FREE))],
    OVER,
  );
  await target.module.deleteKey(KIND.seeds, service.number, SEED_PURCHASE_ID);
  yield await expectRefusal(target, 'all parts of the left purchase after it was deleted', parts, USED);
}
