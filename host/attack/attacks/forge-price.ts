import { encodeCardLimits, NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { type Ceilings, encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import type { ContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import type { TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import { concat } from '../../../apdu/octets.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { CEILINGS, decode, HonestService, load, SERVICE_KEY, START } from '../kit/honest-service.ts';
import type { Lie, Target } from '../kit/target.ts';
import { judged, refused } from '../kit/expect-refusal.ts';

const ABOVE = { expected: [0x9402] } as const;
const UNDER_SERVICE = { parentKind: KIND.service, parentId: SERVICE_KEY };
const DAY = 86_400;

/** A subscriber who took the service key out of a broken module, and writes prices to others. */
export const forgePrice: Attack = {
  name: 'forge-price',
  title: 'charge more than was agreed, with the service key in hand',
  async *run(target) {
    const service = await HonestService.playing(target);
    const priced = (kind: TariffKind, price: bigint) =>
      load(service.content({ tariff: { kind, price } }, { ...UNDER_SERVICE, keyId: 9 }));
    const above = (kind: TariffKind, most: bigint) => [priced(kind, most + 1n), priced(kind, 0xffff_ffffn)];
    yield await refused(target, 'a price by octets above the ceiling', above('octets', CEILINGS.perMegabyte), ABOVE);
    yield await refused(target, 'a price by duration above the ceiling', above('duration', CEILINGS.perHour), ABOVE);
    yield await refused(target, 'a flat price above the ceiling', above('flat', CEILINGS.flat), ABOVE);
    const big = [CEILINGS.groupOctets + 1, 0xff_ffff].map((octets) => decode(service.part(1, { octets })));
    yield await refused(target, 'more octets in a group than the ceiling', big, ABOVE);
    const long = [CEILINGS.groupDuration + 1, 0xff_ffff].map((duration) => decode(service.part(1, { duration })));
    yield await refused(target, 'a longer group than the ceiling', long, ABOVE);
    yield await quanta(target);
    yield* ownCeilings(target, service);
    yield* within(target);
    yield await dayLimit(target);
  },
};

/** A group that would take more than 255 quanta at once. */
async function quanta(target: Target): Promise<Attempt> {
  const service = await HonestService.playing(target, {}, { quantum: 1n });
  const dear = { tariff: { kind: 'octets', price: CEILINGS.perMegabyte } } as const;
  await target.must('a content key at the ceiling', load(service.content(dear)));
  const lies = [decode(service.part(1, { octets: CEILINGS.groupOctets })), decode(service.part(1, { octets: 26 }))];
  return refused(target, 'groups of more than 255 quanta of the purchase', lies, ABOVE);
}

/** Ceilings come under the unique key, and from nowhere else. */
async function* ownCeilings(target: Target, service: HonestService): AsyncIterable<Attempt> {
  const generous: Ceilings = { ...CEILINGS, perMegabyte: 0xffff_ffffn, perHour: 0xffff_ffffn, flat: 0xffff_ffffn };
  const body = encodeCeilings(generous);
  const purchase = service.message({ kind: KIND.service, keyId: 2, ...UNDER_SERVICE }, body);
  const same = service.message({ kind: KIND.service, keyId: SERVICE_KEY, ...UNDER_SERVICE }, body);
  yield await refused(
    target,
    'a service key with ceilings of its own, under the service key',
    [purchase, same].map(load),
    {
      expected: [0x940d],
    },
  );
  const segment = service.message({ kind: KIND.segment, keyId: 101, ...UNDER_SERVICE }, body);
  const terms = concat(service.terms({ tariff: { kind: 'octets', price: 0xffff_ffffn } }), body);
  const content = service.message({ kind: KIND.content, keyId: 9, ...UNDER_SERVICE }, terms);
  yield await refused(target, 'segment and content keys with ceilings added', [segment, content].map(load), {
    expected: [0x6988],
  });
}

/** What the ceilings leave to a forger is what the subscriber agreed to; it is told, not hidden. */
async function* within(target: Target): AsyncIterable<Attempt> {
  const top: ContentTerms['tariff'] = { kind: 'octets', price: CEILINGS.perMegabyte };
  const byOctets = await HonestService.playing(target, { tariff: top });
  const octets = [1, 2, 3, 4].map((group) => decode(byOctets.part(group, { octets: CEILINGS.groupOctets })));
  yield await drained(target, 'the highest price and the largest groups that the ceilings allow', octets, 'group');

  const flat = await HonestService.playing(target);
  const fees: Lie[] = [];
  for (let segmentId = 1; segmentId <= 4; segmentId++) {
    fees.push(load(flat.content({ tariff: { kind: 'flat', price: CEILINGS.flat }, segmentId })));
    fees.push(decode(flat.part(segmentId)));
  }
  yield await drained(target, 'a flat fee at the ceiling for each of four segments made up', fees, 'segment');
}

async function drained(target: Target, tried: string, lies: readonly Lie[], unit: string): Promise<Attempt> {
  const before = await target.purse();
  const answers = new Answers();
  for (const lie of lies) answers.add((await target.send(lie)).status);
  const { available } = await target.purse();
  const each = Number(before.available - available) / 4;
  return {
    tried,
    answers: answers.list,
    verdict: each > 0 ? 'not defended' : 'held',
    note:
      `${each} micro-units a ${unit}: within the ceilings a forger with the service key can spend what is on the card, ` +
      'for the service; ceilings near the real price, a quick change of keys and a spend limit bound it',
    figures: { [`micro-units per ${unit}`]: each },
  };
}

/** The one bound that no service sets. */
async function dayLimit(target: Target): Promise<Attempt> {
  await target.module.closeSession();
  const record = await target.module.log(0);
  // A day that no run has spent on yet.
  const day = Math.max(record.day + 1, START / DAY + 2);
  const limit = 20_000_000n;
  const issuer = await target.administer();
  await issuer.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, spendLimit: limit }), false);
  const service = new HonestService(target);
  const ends = { from: START, to: 0xffff_ffff };
  await target.must('a purchase', load(service.purchase(ends)));
  await target.must('a segment key', load(service.segment(ends)));
  const dear = { tariff: { kind: 'octets', price: CEILINGS.perMegabyte } } as const;
  await target.must('a content key', load(service.content(dear, ends)));
  await service.open();
  const before = await target.purse();
  const answers = new Answers();
  for (let group = 1; group <= 8; group++) {
    // Back to the day before in every second group: the limit of the day is not to be had twice.
    const mediaTime = day * DAY - (group % 2 === 0 ? DAY : 0);
    answers.add((await target.send(decode(service.part(group, { mediaTime, octets: 1_000_000 })))).status);
  }
  await target.module.closeSession();
  const spent = (await target.purse()).spent - before.spent;
  const back = await target.administer();
  await back.storeData(DGI.limits, encodeCardLimits(NO_LIMITS), false);
  const wrong = spent > limit ? [`${spent} micro-units were spent on a day with a limit of ${limit}`] : [];
  return judged('the same under a spend limit of two groups a day, with days going to and fro', answers, wrong);
}
