import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { type Ceilings, encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { encodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { deriveParentKeys, sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { type KeyKind, KIND, type ParentKind } from '../../../apdu/decode-module/kinds.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { signLoadOrder } from '../../../apdu/decode-module/money/credit-load.ts';
import type { TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import { type CardHeader, makeContentCiphers, sealCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { type CardKeySet, encodeCardKeys, encodeCardProfile } from '../../../apdu/decode-module/personalisation.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../apdu/layout/keys.ts';
import { CARD_HEADER } from '../../../apdu/layout/packets.ts';

/** Keys, ids and messages that never change: every module must answer them alike. */

/** A key that says in itself whose it is. */
export function makeFixedKey(name: string): Uint8Array {
  const key = new Uint8Array(16);
  new TextEncoder().encodeInto(name.padEnd(16, '.'), key);
  return key;
}

export const SERIAL = 0x00c0ffee;
export const CARD_ID = encodeCardId({ issuer: 0x0a1b2c, moduleClass: 'card', serial: SERIAL });
export const USD = 840;
/** 100 USD. */
export const MAXIMUM = 100_000_000n;

export const CARD_KEYS: CardKeySet = {
  downlink: makeFixedKey('downlink'),
  uplink: makeFixedKey('uplink'),
  receipt: makeFixedKey('receipt'),
  acknowledgement: makeFixedKey('acknowledgement'),
  'load-in': makeFixedKey('load-in'),
  'load-out': makeFixedKey('load-out'),
};

export const PROFILE = encodeCardProfile({
  cardId: CARD_ID,
  currency: USD,
  maximumBalance: MAXIMUM,
  maximumUnacknowledged: 50_000_000n,
});
export const KEYS = encodeCardKeys(CARD_KEYS);

export const SERVICE = 7;
export const SERVICE_KEY_ID = 1;
export const SEGMENT_KEY_ID = 100;
export const CONTENT_KEY_ID = 5000;
export const SSRC = 0x10000002;
export const SECOND_SSRC = 0x10000004;
/** 2024-01-01T00:00:00Z, where every validity begins unless a case says otherwise. */
export const START = 1_704_067_200;
export const END = START + 86_400;

/** 10 USD/MB, 100 USD/h, 50 USD flat at most; quantum 0.25 USD. */
export const CEILINGS: Ceilings = {
  perMegabyte: 10_000_000n,
  perHour: 100_000_000n,
  flat: 50_000_000n,
  groupOctets: 1_500_000,
  groupDuration: 60_000,
  quantum: 250_000n,
};

export interface KeyOptions {
  service?: number;
  keyId?: number;
  from?: number;
  to?: number;
  number?: number;
  parentKind?: ParentKind | typeof KIND.content;
  parentId?: number;
  /** The key inside. */
  key?: Uint8Array;
  /** The key of the parent. */
  parentKey?: Uint8Array;
}

/** The key that stands for a kind, service and id in every case. */
export function findKey(kind: number, service: number, id: number): Uint8Array {
  return makeFixedKey(`k${kind.toString(16)}.${service}.${id}`);
}

/** The keys of a module that plays. */
export const PLAYING_KEYS = {
  service: findKey(KIND.service, SERVICE, SERVICE_KEY_ID),
  segment: findKey(KIND.segment, SERVICE, SEGMENT_KEY_ID),
  content: findKey(KIND.content, SERVICE, CONTENT_KEY_ID),
};

function seal(
  kind: KeyKind,
  body: Uint8Array,
  parent: number,
  defaultParentId: number,
  options: KeyOptions,
): Uint8Array {
  const { service = SERVICE, keyId = 0, from = START, to = END, number = 0, parentId = defaultParentId } = options;
  const parentKind = (options.parentKind ?? parent) as ParentKind;
  const parentKey =
    options.parentKey ?? (parentKind === KIND.unique ? CARD_KEYS.downlink : findKey(parentKind, service, parentId));
  const header = { kind, service, keyId, from, to, number, parentKind, parentId };
  return sealKeyMessage(header, options.key ?? findKey(kind, service, keyId), body, parentKey).octets;
}

export function sealService(number: number, ceilings: Partial<Ceilings> = {}, options: KeyOptions = {}): Uint8Array {
  const body = encodeCeilings({ ...CEILINGS, ...ceilings });
  return seal(KIND.service, body, KIND.unique, SERIAL, { keyId: SERVICE_KEY_ID, number, ...options });
}

export function sealSegment(options: KeyOptions = {}): Uint8Array {
  return seal(KIND.segment, new Uint8Array(0), KIND.service, SERVICE_KEY_ID, { keyId: SEGMENT_KEY_ID, ...options });
}

export interface TermOptions {
  kind?: TariffKind;
  price?: bigint;
  card?: boolean;
  soft?: boolean;
  segmentId?: number;
  rating?: number;
  ssrcs?: readonly [number, number?];
  epoch?: number;
}

export function encodeContent(terms: TermOptions = {}): Uint8Array {
  return encodeContentTerms({
    tariff: { kind: terms.kind ?? 'octets', price: terms.price ?? (terms.kind === 'free' ? 0n : 250_000n) },
    classes: { card: terms.card ?? true, soft: terms.soft ?? true },
    segmentId: terms.segmentId ?? SEGMENT_KEY_ID,
    rating: terms.rating ?? 0,
    ssrcs: terms.ssrcs ?? [SSRC, SECOND_SSRC],
    masterSalt: makeFixedKey('salt').subarray(0, 12),
    epoch: terms.epoch ?? 0,
  });
}

export function sealContent(terms: TermOptions = {}, options: KeyOptions = {}): Uint8Array {
  return seal(KIND.content, encodeContent(terms), KIND.segment, SEGMENT_KEY_ID, { keyId: CONTENT_KEY_ID, ...options });
}

/** A key message of any kind with any body, however wrong. */
export function sealAny(kind: KeyKind, body: Uint8Array, options: KeyOptions): Uint8Array {
  return seal(kind, body, KIND.unique, SERIAL, options);
}

/** Changes a message and puts the right tag on it again. */
export function sealAnew(message: Uint8Array, parentKey: Uint8Array, change: (octets: Uint8Array) => void): Uint8Array {
  const octets = message.slice();
  const parentKind = KEY.readUint(octets, 'parentKind') as ParentKind;
  const tagLength = parentKind === KIND.unique ? 16 : 8;
  const { mac } = deriveParentKeys(
    { parentKind, service: KEY.readUint(octets, 'service'), parentId: KEY.readUint(octets, 'parentId') } as never,
    parentKey,
  );
  change(octets);
  const tagAt = octets.length - tagLength;
  octets.set(new AesCbc(mac).mac(octets.subarray(0, tagAt)).subarray(0, tagLength), tagAt);
  return octets;
}

export interface PartOptions extends Partial<CardHeader> {
  service?: number;
  /** The content key itself. */
  key?: Uint8Array;
}

/** A card part for a group, span 64 unless told; group key and content follow from the group number. */
export function sealPart(group: number, options: PartOptions = {}): Uint8Array {
  const { service = SERVICE, key, ...header } = options;
  const whole: CardHeader = {
    mode: 'sealed',
    spanBlocks: 4,
    packets: 10,
    octets: 13_160,
    duration: 200,
    mediaTime: START,
    contentKeyId: CONTENT_KEY_ID,
    index: group * 10,
    ssrc: SSRC,
    group,
    ...header,
  };
  return sealCardPart(whole, makeSpan(whole), deriveCiphers(service, whole.contentKeyId, key));
}

/** 16 octets of group key, then content. */
export function makeSpan(header: Pick<CardHeader, 'group' | 'spanBlocks'>): Uint8Array {
  const span = new Uint8Array(16 * header.spanBlocks);
  span.set(makeFixedKey(`group ${header.group}`));
  for (let i = 16; i < span.length; i++) span[i] = i + header.group;
  return span;
}

function deriveCiphers(service: number, contentKeyId: number, key = findKey(KIND.content, service, contentKeyId)) {
  return makeContentCiphers(deriveWorkingKeys(KIND.content, service, contentKeyId, key));
}

/** Changes a card part and puts the right tag on it again. */
export function sealPartAnew(part: Uint8Array, change: (octets: Uint8Array) => void, service = SERVICE): Uint8Array {
  const octets = part.slice();
  const ciphers = deriveCiphers(service, CARD_HEADER.readUint(octets, 'contentKeyId'));
  change(octets);
  const tagAt = octets.length - 8;
  octets.set(ciphers.mac.mac(octets.subarray(0, tagAt)).subarray(0, 8), tagAt);
  return octets;
}

/** S2. */
export function signOrder(
  number: number,
  amount: bigint,
  loadId = makeFixedKey(`load ${number}`).subarray(0, 8),
): Uint8Array {
  return signLoadOrder({ cardId: CARD_ID, number, currency: USD, amount, loadId }, CARD_KEYS['load-in']);
}

export function signAcknowledgementUpTo(upTo: number): Uint8Array {
  return signAcknowledgement(CARD_ID, upTo, CARD_KEYS.acknowledgement);
}

/** Changes a load order or acknowledgement and puts the right tag on it again. */
export function signAnew(message: Uint8Array, key: Uint8Array, change: (octets: Uint8Array) => void): Uint8Array {
  const octets = message.slice();
  change(octets);
  octets.set(new AesCbc(key).mac(octets.subarray(0, octets.length - 16)), octets.length - 16);
  return octets;
}
