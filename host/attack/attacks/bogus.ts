import { randomBytes } from 'node:crypto';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { keyBodyAt } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { signCreditLimit } from '../../../apdu/decode-module/money/credit-load.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import { CONTENT_TERMS, KEY_MESSAGE_HEADER as KEY } from '../../../apdu/layout/keys.ts';
import { CARD_HEADER } from '../../../apdu/layout/packets.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal } from '../kit/expect-refusal.ts';
import { decodePart, HonestService, loadKey, SERVICE_KEY_ID } from '../kit/honest-service.ts';
import { CURRENCY, type ModuleCommand, type Target } from '../kit/target.ts';

const BITS = [0x01, 0x80];
/** Octets of a message that name the key which checks it. A change there names a key that the card may not have. */
const CONTENT_ID_AT = listField(CARD_HEADER.at.contentKeyId);
const UNIQUE_PARENT_AT = [KEY.at.parentKind, ...listField(KEY.at.parentId)];
const PARENT_AT = [...listField(KEY.at.service), ...UNIQUE_PARENT_AT];
const SLOT_AT = [...PARENT_AT, ...listField(keyBodyAt(KIND.content) + CONTENT_TERMS.at.epoch)];

/** The host makes octets up, or changes bits, without having a key. */
export const bogus: Attack = {
  name: 'bogus',
  title: 'change any bit of anything that has a tag',
  async *run(target) {
    const service = await HonestService.start(target);
    yield await flipBits(target, 'a card part, mode sealed', decodePart(service.sealPart(1)), CONTENT_ID_AT);
    yield await flipBits(
      target,
      'a card part, mode open',
      decodePart(service.sealPart(1, { mode: 'open' })),
      CONTENT_ID_AT,
    );
    const parts = [16, 55, 56, 72, 200, 248].map((length) => decodePart(randomBytes(length)));
    yield await expectRefusal(target, 'random octets instead of a card part', parts, {
      expected: [STATUS.CRYPTO, STATUS.UNKNOWN_KEY],
    });

    yield await flipBits(target, 'a purchase', loadKey(service.sealPurchase({ keyId: 2 })), UNIQUE_PARENT_AT);
    yield await flipBits(target, 'a segment key message', loadKey(service.sealSegment({ keyId: 101 })), PARENT_AT);
    const content = service.sealContent({}, { keyId: service.contentId + 1 });
    yield await flipBits(target, 'a content key message', loadKey(content), PARENT_AT);
    const direct = { parentKind: KIND.service, parentId: SERVICE_KEY_ID, keyId: service.contentId + 1 };
    yield await flipBits(
      target,
      'a content key message under the service key',
      loadKey(service.sealContent({}, direct)),
      PARENT_AT,
    );
    if (target.can('marks')) {
      const [part] = service.sealSeedParts(0, 8);
      yield await flipBits(target, 'a purchase of slots', loadKey(part!), UNIQUE_PARENT_AT);
      await target.mustSucceed('a purchase of slots', loadKey(service.sealSeedParts(0, 8)[0]!));
      // Another slot of the purchase has another key (6988); a slot outside the purchase has none (6A88).
      yield await flipBits(target, 'a content key message under a slot', loadKey(service.sealSlotContent(3)), SLOT_AT);
    }
    const messages = [0, 1, 55, 56, 64, 96, 104, 240, 255].map((length) => loadKey(randomBytes(length)));
    yield await expectRefusal(target, 'random octets instead of a key message', messages, {
      expected: [STATUS.CRYPTO, STATUS.UNKNOWN_KEY],
    });

    const order = await target.signLoadOrder(1_000_000n);
    yield await flipBits(target, 'a load order', { ins: INS.LOAD_CREDIT, data: order }, []);
    const { loadNumber, receiptsWritten } = await target.readPurse();
    const limit = {
      cardId: target.cardId,
      number: loadNumber + 1,
      currency: CURRENCY,
      amount: 1n,
      loadId: randomBytes(8),
    };
    const limitOrder = signCreditLimit(limit, target.keys['load-in']);
    yield await flipBits(target, 'a credit limit', { ins: INS.LOAD_CREDIT, data: limitOrder }, []);
    const junk = [0, 1].map(() => ({ ins: INS.LOAD_CREDIT, data: randomBytes(64) }));
    yield await expectRefusal(target, 'random octets instead of a load', junk, {
      expected: [STATUS.CRYPTO],
      mustBeAlike: true,
    });
    await target.mustSucceed('DECODE', decodePart(service.sealPart(1)));
    await target.module.closeSession();
    const acknowledgement = target.signAcknowledgement(receiptsWritten + 1);
    yield await flipBits(
      target,
      'an acknowledgement of receipts',
      { ins: INS.ACKNOWLEDGE_RECEIPTS, data: acknowledgement },
      [],
    );
    yield await useWrongKeys(target);
  },
};

/** Changes two bits of every octet, one at a time. */
async function flipBits(
  target: Target,
  what: string,
  command: ModuleCommand,
  naming: readonly number[],
): Promise<Attempt> {
  const before = await target.readState();
  const answers = new Answers();
  const breaches: string[] = [];
  for (let at = 0; at < command.data.length; at++) {
    for (const bit of BITS) {
      const data = Uint8Array.from(command.data, (octet, i) => (i === at ? octet ^ bit : octet));
      const { status, data: answer } = await target.send({ ...command, data });
      answers.add(status);
      const expected: readonly number[] = naming.includes(at) ? [STATUS.CRYPTO, STATUS.UNKNOWN_KEY] : [STATUS.CRYPTO];
      if (status === STATUS.DONE || answer.length > 0) breaches.push(`octet ${at} may be changed`);
      else if (!expected.includes(status))
        breaches.push(`${formatStatus(status)} for octet ${at} tells a forger something`);
    }
  }
  if ((await target.readState()) !== before) breaches.push('purse or keys are not what they were');
  const note = naming.length > 0 ? '6A88 where the changed octet names a key that is not here' : undefined;
  return judge(`${what}, two bits of each of its ${command.data.length} octets changed in turn`, answers, breaches, {
    notes: [note],
  });
}

/** Sends messages that are right except for the key. */
async function useWrongKeys(target: Target): Promise<Attempt> {
  const stranger = await HonestService.start(target);
  const commands = [
    decodePart(stranger.sealPart(1, {}, randomBytes(16))),
    {
      ins: INS.LOAD_CREDIT,
      data: Uint8Array.from(await target.signLoadOrder(1n), (octet, at) => (at < 48 ? octet : octet ^ 0x55)),
    },
  ];
  return expectRefusal(target, 'messages made with keys of a stranger', commands, {
    expected: [STATUS.CRYPTO],
    mustBeAlike: true,
  });
}

/** Octets of a field of four. */
function listField(at: number): number[] {
  return Array.from({ length: 4 }, (_, i) => at + i);
}
