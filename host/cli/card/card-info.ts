import { decodeCardId, formatCardId, type ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { KeyEntry } from '../../../apdu/decode-module/keys/key-list.ts';
import type { LogRecord } from '../../../apdu/decode-module/money/log-record.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import {
  CAPABILITY,
  type Capability,
  hasCapability,
  type SelectAnswer,
} from '../../../apdu/decode-module/select-answer.ts';
import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { toHex } from '../../../apdu/octets.ts';
import { hasPurse } from '../../holder/require-life.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { describePurse, type View } from './card-view.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { formatSpendLimit, spendLimitJson } from '../issuer/issuer-limits.ts';
import { moment } from '../terminal/moment.ts';
import { formatMoney } from '../../money/amount.ts';

const DAY = 86_400;

/** `tollcast card info` */
export async function showModule(options: CardOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const answer = await module.select();
    const alive = hasPurse(answer);
    const purse = alive ? describePurse(await module.purse()) : undefined;
    const limits = alive ? describeLog(await module.log(0), currencyByNumber(answer.currency)) : undefined;
    const keys = alive ? await module.listKeys() : [];
    const trusted = await module.verificationKeys();
    const atr = toHex(channel.atr);
    print(
      options,
      {
        atr,
        ...inJson(answer),
        ...purse?.json,
        ...limits?.json,
        trust: trusted.map(trustInJson),
        keys: keys.map(keyInJson),
      },
      [
        `ATR       ${atr}`,
        ...describeModule(answer),
        ...(purse?.lines ?? []),
        ...(limits?.lines ?? []),
        ...trusted.map(({ id, key }) => `trusts    ${id}: ${toHex(key)}`),
        ...keys.map((key) => `key       ${describeKey(key)}`),
      ],
    );
  });
}

/** What of the limits of a card its newest record tells. */
function describeLog({ spendLimit, day, spentOfDay, creditLimit }: LogRecord, currency: Currency): View {
  const spent = day === 0 ? '' : `, spent ${formatMoney(spentOfDay, currency)} on ${moment(day * DAY).slice(0, 10)}`;
  return {
    json: { spendLimit: spendLimitJson(spendLimit), spentOfDay: Number(spentOfDay), creditLimit: Number(creditLimit) },
    lines: [
      `limits    spend a day ${formatSpendLimit(spendLimit, currency)}${spent}; credit ${formatMoney(creditLimit, currency)}`,
    ],
  };
}

function trustInJson({ id, key }: VerificationKey): Record<string, unknown> {
  return { id, key: toHex(key) };
}

function inJson(answer: SelectAnswer): Record<string, unknown> {
  const { cardId, life, version, maxSpan, maxCommandData } = answer;
  const moduleClass = classOf(answer) ?? null;
  return {
    card: formatCardId(cardId),
    class: moduleClass,
    life,
    version,
    capabilities: capabilitiesOf(answer),
    maxSpan,
    maxCommandData,
  };
}

/** Class in the card id; a blank module has none. */
function classOf({ cardId }: SelectAnswer): ModuleClass | undefined {
  return cardId.every((octet) => octet === 0) ? undefined : decodeCardId(cardId).moduleClass;
}

function capabilitiesOf(answer: SelectAnswer): Capability[] {
  return Object.keys(CAPABILITY)
    .filter(isCapability)
    .filter((name) => hasCapability(answer, name));
}

function isCapability(name: string): name is Capability {
  return name in CAPABILITY;
}

function describeModule(answer: SelectAnswer): string[] {
  const { cardId, life, version, maxSpan, maxCommandData } = answer;
  return [
    life === 'blank'
      ? 'card      blank; type: tollcast issuer personalise'
      : `card      ${formatCardId(cardId)}, class ${classOf(answer)}, ${life}`,
    `module    protocol version ${version}, spans to ${maxSpan} octets, commands to ${maxCommandData}`,
    `can do    ${capabilitiesOf(answer).join(', ')}`,
  ];
}

function nameOf(kind: number): string {
  return Object.entries(KIND).find(([, number]) => number === kind)?.[0] ?? `kind ${kind}`;
}

function keyInJson({ kind, parentKind, service, id, from, to }: KeyEntry): Record<string, unknown> {
  return { kind: nameOf(kind), parent: nameOf(parentKind), service, id, from: moment(from), to: moment(to) };
}

function describeKey({ kind, service, id, from, to }: KeyEntry): string {
  return `${nameOf(kind)} ${id} of service ${service}, valid from ${moment(from)} to ${moment(to)}`;
}
