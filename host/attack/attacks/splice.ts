import { CARD_HEADER, CARD_TAG } from '../../../apdu/decode-module/packets/card-part.ts';
import { combine, separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { concat, writeUint } from '../../../apdu/octets.ts';
import type { Attack, Attempt } from '../kit/attempt.ts';
import { decode, HonestService, load, SERVICE_KEY } from '../kit/honest-service.ts';
import { changed } from '../kit/forged-message.ts';
import type { Lie, Target } from '../kit/target.ts';
import { refused } from '../kit/expect-refusal.ts';

const FORGED = { expected: [0x6988], alike: true } as const;

/** Authentic pieces in the wrong place. */
export const splice: Attack = {
  name: 'splice',
  title: 'put authentic pieces together anew',
  async *run(target) {
    yield* cardParts(target);
    yield* otherServices(target);
    yield* keyMessages(target);
    yield* sections(target);
  },
};

/** A card part of the header, the span and the tag of three others. */
function made(header: Uint8Array, span: Uint8Array, tag: Uint8Array): Lie {
  return decode(
    concat(
      header.subarray(0, CARD_HEADER),
      span.subarray(CARD_HEADER, span.length - CARD_TAG),
      tag.subarray(tag.length - CARD_TAG),
    ),
  );
}

/** A key message with octets [at, end) of another one. */
function from(at: number, end: number, source: Uint8Array, into: Uint8Array): Lie {
  return load(changed(into, (copy) => copy.set(source.subarray(at, end), at)));
}

async function* cardParts(target: Target): AsyncIterable<Attempt> {
  const service = await HonestService.playing(target);
  const dear = service.part(1, { octets: 1_000_000, packets: 700 });
  const cheap = service.part(2, { octets: 1000, packets: 1 });
  const cheaper = [made(cheap, dear, dear), made(cheap, dear, cheap), made(dear, cheap, dear), made(dear, dear, cheap)];
  yield await refused(
    target,
    "a cheap group's header on a dear group's span, and the other ways about",
    cheaper,
    FORGED,
  );
  const moved = (at: number, size: number, value: number) =>
    decode(changed(dear, (copy) => writeUint(copy, at, size, value)));
  yield await refused(target, 'fewer octets in the header of a group', [moved(4, 3, 1000), moved(4, 3, 0)], FORGED);
  yield await refused(
    target,
    "a group of one stream under the other stream's SSRC",
    [moved(24, 4, service.secondSsrc)],
    FORGED,
  );
  yield await refused(target, 'a group under another number', [moved(28, 4, 2), moved(28, 4, 0x7fff_ffff)], FORGED);
  const short = [1, 4, 7, 8].map((cut) => decode(dear.subarray(0, dear.length - cut)));
  const noTag = decode(changed(dear, (copy) => copy.fill(0, copy.length - CARD_TAG)));
  yield await refused(target, 'a tag cut short, left out, or of zeros', [...short, noTag], FORGED);
  const blocks = changed(service.part(3, { spanBlocks: 2 }), (copy) => (copy[1] = 0x21)).subarray(0, 56);
  yield await refused(target, 'a span of two blocks cut to one', [decode(blocks)], FORGED);
}

/** Two services that use the same id for their content keys. */
async function* otherServices(target: Target): AsyncIterable<Attempt> {
  const one = await HonestService.playing(target);
  const two = new HonestService(target);
  await target.must('a purchase', load(two.purchase()));
  await target.must('a segment key', load(two.segment()));
  await target.must('a content key', load(two.content({}, { keyId: one.contentId })));
  await two.open();
  yield await refused(target, "a group of one service in another service's session", [decode(one.part(1))], FORGED);
  const renamed = (message: Uint8Array) => load(changed(message, (copy) => writeUint(copy, 4, 4, two.number)));
  yield await refused(
    target,
    "one service's segment and content keys under another service's name",
    [renamed(one.segment({ keyId: 101 })), renamed(one.content())],
    FORGED,
  );
}

async function* keyMessages(target: Target): AsyncIterable<Attempt> {
  const service = await HonestService.playing(target);
  const free = service.content({ tariff: { kind: 'free', price: 0n } });
  const paid = service.content();
  yield await refused(target, "a free content key's terms on one that costs", [from(48, 96, free, paid)], FORGED);
  const other = service.content({}, { keyId: service.contentId + 1 });
  yield await refused(target, 'the wrapped key of one message in another', [from(32, 48, other, paid)], FORGED);
  yield await refused(target, 'the tag of one message on another', [from(96, 104, other, paid)], FORGED);
  const later = service.purchase({ keyId: 2, to: 0xffff_fffe });
  const purchase = service.purchase({ keyId: 2 });
  yield await refused(target, "a later purchase's end on an earlier one", [from(16, 20, later, purchase)], FORGED);
  yield await refused(
    target,
    "a purchase's message cut to eight octets of tag",
    [load(purchase.subarray(0, 88))],
    FORGED,
  );
  if (!target.can('marks')) return;
  const [one, two] = [service.seedParts(0, 8)[0]!, service.seedParts(0, 1024)[0]!];
  yield await refused(target, "more slots' labels on a purchase of few", [from(160, 192, two, one)], FORGED);
  yield await refused(target, 'the seeds of one purchase in another', [from(32, 160, two, one)], FORGED);
}

/** Entries of combined sections with the header and body of another section. */
async function* sections(target: Target): AsyncIterable<Attempt> {
  const service = await HonestService.playing(target);
  const parent = { parentKind: KIND.service, parentId: SERVICE_KEY };
  const paid = combine([parseKeyMessage(service.content()), parseKeyMessage(service.content())]);
  const free = combine([parseKeyMessage(service.content({ tariff: { kind: 'free', price: 0n } }))]);
  const [entry] = [free.subarray(free.length - 28)];
  const swapped = concat(paid.subarray(0, paid.length - 28), entry);
  const lies = separate(swapped).slice(1).map(load);
  yield await refused(target, "an entry of one combined section in another's", lies, FORGED);
  const direct = parseKeyMessage(service.content({}, { ...parent, keyId: service.contentId + 2 }));
  const moved = changed(combine([direct]), (copy) => (copy[4 + 24] = KIND.segment));
  const named = changed(moved, (copy) => writeUint(copy, copy.length - 28, 4, 100));
  yield await refused(
    target,
    'an entry of the service key, said to be of the segment key',
    separate(named).map(load),
    FORGED,
  );
}
