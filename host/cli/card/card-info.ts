import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { KeyEntry } from '../../../apdu/decode-module/keys/key-list.ts';
import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { nameKind } from '../../../apdu/decode-module/kinds.ts';
import type { LimitsInForce } from '../../../apdu/decode-module/limits-in-force.ts';
import type { LogRecord } from '../../../apdu/decode-module/money/log-record.ts';
import { toHex } from '../../../apdu/octets.ts';
import { type CardSnapshot, readCard } from '../../holder/card-snapshot.ts';
import { policyOfLimits } from '../../issuer/cards/holder-limits.ts';
import { formatMoney } from '../../money/amount.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { formatSpendLimit } from '../../money/spend-limit.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { formatDay, formatTime } from '../terminal/time.ts';
import { describePurse, type View } from './card-view.ts';
import { spendLimitToJson } from './card-view.ts';

/** `tollcast card info` */
export async function showCard(options: CardOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const { json, lines } = await readCardView(channel);
    print(options, json, lines);
  });
}

/** All that a card tells anybody who selects it. */
export async function readCardView(channel: CardChannel): Promise<View> {
  const card = await readCard(new DecodeModule(channel));
  const { answer, keys, trusted } = card;
  const purse = card.purse && describePurse(card.purse.status);
  const limits = card.purse && describeSpending(card.purse.record, currencyByNumber(answer.currency));
  const atr = toHex(channel.atr);
  return {
    json: {
      atr,
      ...cardToJson(card),
      ...purse?.json,
      ...limits?.json,
      ...(card.limits && holderLimitsToJson(card.limits)),
      trust: trusted.map(trustToJson),
      keys: keys.map(keyToJson),
    },
    lines: [
      `ATR       ${atr}`,
      ...describeModule(card),
      ...(purse?.lines ?? []),
      ...(limits?.lines ?? []),
      ...(card.limits === undefined ? [] : describeHolderLimits(card.limits)),
      ...trusted.map(({ id, key }) => `trusts    ${id}: ${toHex(key)}`),
      ...keys.map((key) => `key       ${describeKey(key)}`),
    ],
  };
}

/** Spend limit and credit limit, as the newest record has them. */
function describeSpending({ spendLimit, day, spentOfDay, creditLimit }: LogRecord, currency: Currency): View {
  const spent = day === 0 ? '' : `, spent ${formatMoney(spentOfDay, currency)} on ${formatDay(day)}`;
  const limit = formatSpendLimit(spendLimit, currency);
  return {
    json: {
      spendLimit: spendLimitToJson(spendLimit),
      spentOfDay: Number(spentOfDay),
      creditLimit: Number(creditLimit),
    },
    lines: [`limits    spend a day ${limit}${spent}; credit ${formatMoney(creditLimit, currency)}`],
  };
}

function holderLimitsToJson(limits: LimitsInForce): Record<string, unknown> {
  const { ratingLimit, triesLeft } = limits;
  return {
    ratingLimit: ratingLimit === 0 ? null : ratingLimit,
    pinPolicy: policyOfLimits(limits),
    pinTries: triesLeft ?? null,
  };
}

function describeHolderLimits({ ratingLimit, pinLiftsRating, pinForSessions, triesLeft }: LimitsInForce): string[] {
  const lifted = pinLiftsRating ? '; the PIN lifts it' : '';
  const rating = ratingLimit === 0 ? 'no limit' : `content for ages to ${ratingLimit}${lifted}`;
  return [`rating    ${rating}`, `PIN       ${describePin(triesLeft)}${pinForSessions ? '; needed to watch' : ''}`];
}

function describePin(triesLeft: number | undefined): string {
  if (triesLeft === undefined) return 'none was set';
  if (triesLeft === 0) return 'blocked; its issuer gives a new one: tollcast issuer pin';
  return triesLeft === 1 ? 'set, one try left' : `set, ${triesLeft} tries left`;
}

function trustToJson({ id, key }: VerificationKey): Record<string, unknown> {
  return { id, key: toHex(key) };
}

function cardToJson({ answer, moduleClass, capabilities }: CardSnapshot): Record<string, unknown> {
  const { cardId, life, version, maxSpan, maxCommandData } = answer;
  return {
    card: formatCardId(cardId),
    class: moduleClass ?? null,
    life,
    version,
    capabilities,
    maxSpan,
    maxCommandData,
  };
}

function describeModule({ answer, moduleClass, capabilities }: CardSnapshot): string[] {
  const { cardId, life, version, maxSpan, maxCommandData } = answer;
  return [
    life === 'blank'
      ? 'card      blank; type: tollcast issuer personalise'
      : `card      ${formatCardId(cardId)}, class ${moduleClass}, ${life}`,
    `module    protocol version ${version}, spans to ${maxSpan} octets, commands to ${maxCommandData}`,
    `can do    ${capabilities.join(', ')}`,
  ];
}

function keyToJson({ kind, parentKind, service, keyId, from, to }: KeyEntry): Record<string, unknown> {
  return {
    kind: nameKind(kind),
    parent: nameKind(parentKind),
    service,
    id: keyId,
    from: formatTime(from),
    to: formatTime(to),
  };
}

export function describeKey({ kind, service, keyId, from, to }: KeyEntry): string {
  return `${nameKind(kind)} ${keyId} of service ${service}, valid from ${formatTime(from)} to ${formatTime(to)}`;
}
