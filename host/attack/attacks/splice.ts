import { combine, separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { keyBodyAt } from '../../../apdu/decode-module/keys/key-message.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import {
  CONTENT_TERMS,
  KEY_MESSAGE_HEADER as KEY,
  SECTION_ENTRY,
  SECTION_HEADER,
  SEED_MESSAGE,
} from '../../../apdu/layout/keys.ts';
import { CARD_HEADER, CARD_TAG } from '../../../apdu/layout/packets.ts';
import { concat } from '../../../apdu/octets.ts';
import type { Attack, Attempt } from '../kit/attempt.ts';
import { expectRefusal } from '../kit/expect-refusal.ts';
import { copyChanged } from '../kit/forged-message.ts';
import { decodePart, HonestService, loadKey, SERVICE_KEY_ID } from '../kit/honest-service.ts';
import type { ModuleCommand, Target } from '../kit/target.ts';

const TERMS_AT = keyBodyAt(KIND.content);

const FORGED = { expected: [STATUS.CRYPTO], mustBeAlike: true } as const;

/** The host puts authentic pieces in the wrong place. */
export const splice: Attack = {
  name: 'splice',
  title: 'put authentic pieces together in another way',
  async *run(target) {
    yield* spliceCardParts(target);
    yield* crossServices(target);
    yield* spliceKeyMessages(target);
    yield* spliceSections(target);
  },
};

/** Joins the header, the span and the tag of three card parts. */
function joinPart(header: Uint8Array, span: Uint8Array, tag: Uint8Array): ModuleCommand {
  return decodePart(
    concat(
      header.subarray(0, CARD_HEADER.length),
      span.subarray(CARD_HEADER.length, span.length - CARD_TAG),
      tag.subarray(tag.length - CARD_TAG),
    ),
  );
}

/** Copies octets [at, end) of one key message into another. */
function copyRange(at: number, end: number, source: Uint8Array, into: Uint8Array): ModuleCommand {
  return loadKey(copyChanged(into, (copy) => copy.set(source.subarray(at, end), at)));
}

async function* spliceCardParts(target: Target): AsyncIterable<Attempt> {
  const service = await HonestService.start(target);
  const dear = service.sealPart(1, { octets: 1_000_000, packets: 700 });
  const cheap = service.sealPart(2, { octets: 1000, packets: 1 });
  const cheaper = [
    joinPart(cheap, dear, dear),
    joinPart(cheap, dear, cheap),
    joinPart(dear, cheap, dear),
    joinPart(dear, dear, cheap),
  ];
  yield await expectRefusal(
    target,
    "a cheap group's header on a dear group's span, and the other ways about",
    cheaper,
    FORGED,
  );
  const moved = (field: keyof typeof CARD_HEADER.at, value: number) =>
    decodePart(copyChanged(dear, (copy) => CARD_HEADER.writeUint(copy, field, value)));
  yield await expectRefusal(
    target,
    'fewer octets in the header of a group',
    [moved('octets', 1000), moved('octets', 0)],
    FORGED,
  );
  yield await expectRefusal(
    target,
    "a group of one stream under the other stream's SSRC",
    [moved('ssrc', service.secondSsrc)],
    FORGED,
  );
  yield await expectRefusal(
    target,
    'a group under another number',
    [moved('group', 2), moved('group', 0x7fff_ffff)],
    FORGED,
  );
  const short = [1, 4, 7, 8].map((cut) => decodePart(dear.subarray(0, dear.length - cut)));
  const noTag = decodePart(copyChanged(dear, (copy) => copy.fill(0, copy.length - CARD_TAG)));
  yield await expectRefusal(target, 'a tag cut short, left out, or of zeros', [...short, noTag], FORGED);
  const blocks = copyChanged(service.sealPart(3, { spanBlocks: 2 }), (copy) =>
    CARD_HEADER.writeUint(copy, 'versionAndBlocks', 0x21),
  ).subarray(0, CARD_HEADER.length + 16 + CARD_TAG);
  yield await expectRefusal(target, 'a span of two blocks cut to one', [decodePart(blocks)], FORGED);
}

/** Crosses two services whose content keys have the same id. */
async function* crossServices(target: Target): AsyncIterable<Attempt> {
  const one = await HonestService.start(target);
  const two = new HonestService(target);
  await target.mustSucceed('a purchase', loadKey(two.sealPurchase()));
  await target.mustSucceed('a segment key', loadKey(two.sealSegment()));
  await target.mustSucceed('a content key', loadKey(two.sealContent({}, { keyId: one.contentId })));
  await two.openSession();
  yield await expectRefusal(
    target,
    "a group of one service in another service's session",
    [decodePart(one.sealPart(1))],
    FORGED,
  );
  const renamed = (message: Uint8Array) =>
    loadKey(copyChanged(message, (copy) => KEY.writeUint(copy, 'service', two.number)));
  yield await expectRefusal(
    target,
    "one service's segment and content keys under another service's name",
    [renamed(one.sealSegment({ keyId: 101 })), renamed(one.sealContent())],
    FORGED,
  );
}

async function* spliceKeyMessages(target: Target): AsyncIterable<Attempt> {
  const service = await HonestService.start(target);
  const free = service.sealContent({ tariff: { kind: 'free', price: 0n } });
  const paid = service.sealContent();
  yield await expectRefusal(
    target,
    "a free content key's terms on one that costs",
    [copyRange(TERMS_AT, TERMS_AT + CONTENT_TERMS.length, free, paid)],
    FORGED,
  );
  const other = service.sealContent({}, { keyId: service.contentId + 1 });
  yield await expectRefusal(
    target,
    'the wrapped key of one message in another',
    [copyRange(KEY.length, TERMS_AT, other, paid)],
    FORGED,
  );
  yield await expectRefusal(
    target,
    'the tag of one message on another',
    [copyRange(TERMS_AT + CONTENT_TERMS.length, paid.length, other, paid)],
    FORGED,
  );
  const later = service.sealPurchase({ keyId: 2, to: 0xffff_fffe });
  const purchase = service.sealPurchase({ keyId: 2 });
  yield await expectRefusal(
    target,
    "a later purchase's end on an earlier one",
    [copyRange(KEY.at.to, KEY.at.number, later, purchase)],
    FORGED,
  );
  yield await expectRefusal(
    target,
    "a purchase's message cut to eight octets of tag",
    [loadKey(purchase.subarray(0, -8))],
    FORGED,
  );
  if (!target.can('marks')) return;
  const [one, two] = [service.sealSeedParts(0, 8)[0]!, service.sealSeedParts(0, 1024)[0]!];
  yield await expectRefusal(
    target,
    "more slots' labels on a purchase of few",
    [copyRange(SEED_MESSAGE.at.labels, SEED_MESSAGE.at.ceilings, two, one)],
    FORGED,
  );
  yield await expectRefusal(
    target,
    'the seeds of one purchase in another',
    [copyRange(SEED_MESSAGE.at.seeds, SEED_MESSAGE.at.labels, two, one)],
    FORGED,
  );
}

/** Puts entries of one combined section behind the header and body of another. */
async function* spliceSections(target: Target): AsyncIterable<Attempt> {
  const service = await HonestService.start(target);
  const parent = { parentKind: KIND.service, parentId: SERVICE_KEY_ID };
  const paid = combine([parseKeyMessage(service.sealContent()), parseKeyMessage(service.sealContent())]);
  const free = combine([parseKeyMessage(service.sealContent({ tariff: { kind: 'free', price: 0n } }))]);
  const [entry] = [free.subarray(free.length - SECTION_ENTRY.length)];
  const swapped = concat(paid.subarray(0, paid.length - SECTION_ENTRY.length), entry);
  const commands = separate(swapped).slice(1).map(loadKey);
  yield await expectRefusal(target, "an entry of one combined section in another's", commands, FORGED);
  const direct = parseKeyMessage(service.sealContent({}, { ...parent, keyId: service.contentId + 2 }));
  const moved = copyChanged(combine([direct]), (copy) =>
    KEY.writeUint(copy, 'parentKind', KIND.segment, SECTION_HEADER.at.common),
  );
  const named = copyChanged(moved, (copy) =>
    SECTION_ENTRY.writeUint(copy, 'parentId', 100, copy.length - SECTION_ENTRY.length),
  );
  yield await expectRefusal(
    target,
    'an entry of the service key, said to be of the segment key',
    separate(named).map(loadKey),
    FORGED,
  );
}
