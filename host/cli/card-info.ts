import { formatCardId } from '../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { KeyEntry } from '../../apdu/decode-module/key-list.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import {
  CAPABILITY,
  type Capability,
  hasCapability,
  type SelectAnswer,
} from '../../apdu/decode-module/select-answer.ts';
import { toHex } from '../../apdu/octets.ts';
import { type CardOptions, print, withCard } from './card-option.ts';
import { describePurse } from './card-view.ts';

/** `tollcast card info` */
export async function showModule(options: CardOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const answer = await module.select();
    const alive = answer.life === 'active' || answer.life === 'blocked';
    const purse = alive ? describePurse(await module.purse()) : undefined;
    const keys = alive ? await module.listKeys() : [];
    const atr = toHex(channel.atr);
    print(options, { atr, ...inJson(answer), ...purse?.json, keys: keys.map(keyInJson) }, [
      `ATR       ${atr}`,
      ...describeModule(answer),
      ...(purse?.lines ?? []),
      ...keys.map((key) => `key       ${describeKey(key)}`),
    ]);
  });
}

function inJson(answer: SelectAnswer): Record<string, unknown> {
  const { cardId, life, version, maxSpan, maxCommandData } = answer;
  return { card: formatCardId(cardId), life, version, capabilities: capabilitiesOf(answer), maxSpan, maxCommandData };
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
      : `card      ${formatCardId(cardId)}, ${life}`,
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

/** @param seconds since 1970 */
function moment(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}
