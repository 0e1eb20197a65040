import { encodeCardLimits, NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { type Ceilings, encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import type { ContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import type { TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { concat } from '../../../apdu/octets.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal } from '../kit/expect-refusal.ts';
import { CEILINGS, decodePart, HonestService, loadKey, SERVICE_KEY_ID, START } from '../kit/honest-service.ts';
import type { ModuleCommand, Target } from '../kit/target.ts';

const ABOVE = { expected: [STATUS.ABOVE_CEILING] } as const;
const UNDER_SERVICE = { parentKind: KIND.service, parentId: SERVICE_KEY_ID };
const DAY = 86_400;

/** The host has the service key out of a broken module, and forges prices for other cards. */
export const forgePrice: Attack = {
  name: 'forge-price',
  title: 'charge more than was agreed, with the service key in hand',
  async *run(target) {
    const service = await HonestService.start(target);
    const priced = (kind: TariffKind, price: bigint) =>
      loadKey(service.sealContent({ tariff: { kind, price } }, { ...UNDER_SERVICE, keyId: 9 }));
    const above = (kind: TariffKind, most: bigint) => [priced(kind, most + 1n), priced(kind, 0xffff_ffffn)];
    yield await expectRefusal(
      target,
      'a price by octets above the ceiling',
      above('octets', CEILINGS.perMegabyte),
      ABOVE,
    );
    yield await expectRefusal(
      target,
      'a price by duration above the ceiling',
      above('duration', CEILINGS.perHour),
      ABOVE,
    );
    yield await expectRefusal(target, 'a flat price above the ceiling', above('flat', CEILINGS.flat), ABOVE);
    const big = [CEILINGS.groupOctets + 1, 0xff_ffff].map((octets) => decodePart(service.sealPart(1, { octets })));
    yield await expectRefusal(target, 'more octets in a group than the ceiling', big, ABOVE);
    const long = [CEILINGS.groupDuration + 1, 0xff_ffff].map((duration) =>
      decodePart(service.sealPart(1, { duration })),
    );
    yield await expectRefusal(target, 'a longer group than the ceiling', long, ABOVE);
    yield await exceedQuanta(target);
    yield await keepDearContent(target);
    yield* addOwnCeilings(target, service);
    yield* spendWithinCeilings(target);
    yield await goBackADay(target);
  },
};

/** Sends groups that need more than 255 quanta at once. */
async function exceedQuanta(target: Target): Promise<Attempt> {
  const service = await HonestService.start(target, {}, { quantum: 1n });
  const dear = { tariff: { kind: 'octets', price: CEILINGS.perMegabyte } } as const;
  await target.mustSucceed('a content key at the ceiling', loadKey(service.sealContent(dear)));
  const commands = [
    decodePart(service.sealPart(1, { octets: CEILINGS.groupOctets })),
    decodePart(service.sealPart(1, { octets: 26 })),
  ];
  return expectRefusal(target, 'groups of more than 255 quanta of the purchase', commands, ABOVE);
}

/** Has the card agree to less after content at a higher price was loaded. */
async function keepDearContent(target: Target): Promise<Attempt> {
  const service = await HonestService.start(target);
  const least: Partial<Ceilings> = { perMegabyte: 1n, perHour: 1n, flat: 1n };
  await target.mustSucceed('the purchase again, at a lower price', loadKey(service.sealPurchase({}, least)));
  const tried = 'content that was loaded before its purchase was agreed anew at a lower price';
  return expectRefusal(target, tried, [decodePart(service.sealPart(1))], { expected: [STATUS.UNKNOWN_KEY] });
}

/** Adds ceilings to messages that are not under the unique key. */
async function* addOwnCeilings(target: Target, service: HonestService): AsyncIterable<Attempt> {
  const generous: Ceilings = { ...CEILINGS, perMegabyte: 0xffff_ffffn, perHour: 0xffff_ffffn, flat: 0xffff_ffffn };
  const body = encodeCeilings(generous);
  const purchase = service.sealMessage({ kind: KIND.service, keyId: 2, ...UNDER_SERVICE }, body);
  const same = service.sealMessage({ kind: KIND.service, keyId: SERVICE_KEY_ID, ...UNDER_SERVICE }, body);
  yield await expectRefusal(
    target,
    'a service key with ceilings of its own, under the service key',
    [purchase, same].map(loadKey),
    {
      expected: [STATUS.WRONG_PARENT],
    },
  );
  const segment = service.sealMessage({ kind: KIND.segment, keyId: 101, ...UNDER_SERVICE }, body);
  const terms = concat(service.encodeTerms({ tariff: { kind: 'octets', price: 0xffff_ffffn } }), body);
  const content = service.sealMessage({ kind: KIND.content, keyId: 9, ...UNDER_SERVICE }, terms);
  yield await expectRefusal(target, 'segment and content keys with ceilings added', [segment, content].map(loadKey), {
    expected: [STATUS.CRYPTO],
  });
}

/** Shows what the ceilings leave to a forger. */
async function* spendWithinCeilings(target: Target): AsyncIterable<Attempt> {
  const top: ContentTerms['tariff'] = { kind: 'octets', price: CEILINGS.perMegabyte };
  const byOctets = await HonestService.start(target, { tariff: top });
  const octets = [1, 2, 3, 4].map((group) => decodePart(byOctets.sealPart(group, { octets: CEILINGS.groupOctets })));
  yield await drainPurse(target, 'the highest price and the largest groups that the ceilings allow', octets, 'group');

  const flat = await HonestService.start(target);
  const fees: ModuleCommand[] = [];
  for (let segmentId = 1; segmentId <= 4; segmentId++) {
    fees.push(loadKey(flat.sealContent({ tariff: { kind: 'flat', price: CEILINGS.flat }, segmentId })));
    fees.push(decodePart(flat.sealPart(segmentId)));
  }
  yield await drainPurse(target, 'a flat fee at the ceiling for each of four segments made up', fees, 'segment');
}

async function drainPurse(
  target: Target,
  tried: string,
  commands: readonly ModuleCommand[],
  unit: string,
): Promise<Attempt> {
  const before = await target.readPurse();
  const answers = new Answers();
  for (const command of commands) answers.add((await target.send(command)).status);
  const { available } = await target.readPurse();
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

/** Moves between two days, to get the limit of a day twice. */
async function goBackADay(target: Target): Promise<Attempt> {
  await target.module.closeSession();
  const record = await target.module.getLog(0);
  // No run has spent on this day yet.
  const day = Math.max(record.day + 1, START / DAY + 2);
  const limit = 20_000_000n;
  const issuer = await target.administer();
  await issuer.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, spendLimit: limit }), false);
  const service = new HonestService(target);
  const ends = { from: START, to: 0xffff_ffff };
  await target.mustSucceed('a purchase', loadKey(service.sealPurchase(ends)));
  await target.mustSucceed('a segment key', loadKey(service.sealSegment(ends)));
  const dear = { tariff: { kind: 'octets', price: CEILINGS.perMegabyte } } as const;
  await target.mustSucceed('a content key', loadKey(service.sealContent(dear, ends)));
  await service.openSession();
  const before = await target.readPurse();
  const answers = new Answers();
  for (let group = 1; group <= 8; group++) {
    // Every second group is of the day before.
    const mediaTime = day * DAY - (group % 2 === 0 ? DAY : 0);
    answers.add((await target.send(decodePart(service.sealPart(group, { mediaTime, octets: 1_000_000 })))).status);
  }
  await target.module.closeSession();
  const spent = (await target.readPurse()).spent - before.spent;
  const back = await target.administer();
  await back.storeData(DGI.limits, encodeCardLimits(NO_LIMITS), false);
  const breaches = spent > limit ? [`${spent} micro-units were spent on a day with a limit of ${limit}`] : [];
  return judge('the same under a spend limit of two groups a day, with days going to and fro', answers, breaches);
}
