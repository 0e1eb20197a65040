import { expect, test } from 'vitest';
import { decodeCardLimits, encodeCardLimits, NO_LIMITS } from '../../../../apdu/decode-module/card-limits.ts';
import { AesCbc } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import {
  type ContentTerms,
  decodeContentTerms,
  encodeContentTerms,
} from '../../../../apdu/decode-module/keys/content-terms.ts';
import {
  type KeyMessageHeader,
  parseKeyMessage,
  sealKeyMessage,
} from '../../../../apdu/decode-module/keys/key-message.ts';
import { sealSeedPurchase } from '../../../../apdu/decode-module/keys/seed-purchase.ts';
import { sealServicePair } from '../../../../apdu/decode-module/keys/service-pair.ts';
import { encodeVerificationKey } from '../../../../apdu/decode-module/keys/verification-key.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { ticksOf, TICKS_PER_MICRO_UNIT } from '../../../../apdu/decode-module/money/tariff.ts';
import { encodeBlind, openBlind, sealBlind } from '../../../../apdu/decode-module/packets/blind-blocks.ts';
import {
  type CardHeader,
  makeContentCiphers,
  parseCardHeader,
  sealCardPart,
  shortenCardPart,
  readCardPartLength,
} from '../../../../apdu/decode-module/packets/card-part.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { MAX_MONEY } from '../../../../apdu/layout/max-money.ts';
import {
  CARD_KEYS,
  sealPart,
  CEILINGS,
  END,
  makeFixedKey,
  SERIAL,
  sealService,
  START,
} from '../../../conformance/messages/messages.ts';
import { SERVICE_PAIR } from '../../../conformance/messages/pair-messages.ts';

const KEY = makeFixedKey('a key');
const PAIR = { encryption: KEY, mac: makeFixedKey('another key') };

const SEGMENT: KeyMessageHeader = {
  kind: KIND.segment,
  service: 7,
  keyId: 5,
  from: 1,
  to: 2,
  number: 0,
  parentKind: KIND.service,
  parentId: 3,
};
const NOTHING = new Uint8Array(0);

test('a key message holds a key and a body of its kind, valid for a second at least', () => {
  expect(sealKeyMessage(SEGMENT, KEY, NOTHING, KEY).octets).toHaveLength(56);
  expect(() => sealKeyMessage(SEGMENT, KEY.subarray(1), NOTHING, KEY)).toThrow(OutOfRangeError);
  expect(() => sealKeyMessage(SEGMENT, new Uint8Array(32), NOTHING, KEY)).toThrow(OutOfRangeError);
  expect(() => sealKeyMessage(SEGMENT, KEY, new Uint8Array(32), KEY)).toThrow(OutOfRangeError);
  expect(() => sealKeyMessage({ ...SEGMENT, to: 1 }, KEY, NOTHING, KEY)).toThrow(OutOfRangeError);
  expect(() => sealKeyMessage({ ...SEGMENT, to: 0 }, KEY, NOTHING, KEY)).toThrow(OutOfRangeError);
});

test('a key message has an ephemeral point under a pair, and under nothing else', () => {
  const underPair = { ...SEGMENT, parentKind: KIND.servicePair };
  const ephemeral = new Uint8Array(64);
  expect(sealKeyMessage(underPair, KEY, NOTHING, { ...PAIR, ephemeral }).octets).toHaveLength(120);
  expect(() => sealKeyMessage(underPair, KEY, NOTHING, PAIR)).toThrow(OutOfRangeError);
  expect(() => sealKeyMessage(underPair, KEY, NOTHING, KEY)).toThrow(OutOfRangeError);
  expect(() => sealKeyMessage(SEGMENT, KEY, NOTHING, { ...PAIR, ephemeral })).toThrow(OutOfRangeError);
});

test('a key message that is cut short is refused', () => {
  const message = sealService(1);
  expect(parseKeyMessage(message).octets).toEqual(message);
  expect(() => parseKeyMessage(message.subarray(0, -1))).toThrow(FormatError);
});

test('a span has 1 to 31 blocks, a group 1 to 2,000 packets', () => {
  const seal = (header: Partial<CardHeader>) => {
    const whole = { ...parseCardHeader(sealPart(1)), ...header };
    return sealCardPart(whole, new Uint8Array(16 * whole.spanBlocks), makeContentCiphers(PAIR));
  };
  for (const header of [{ spanBlocks: 1 }, { spanBlocks: 31 }, { packets: 1 }, { packets: 2000 }]) {
    expect(parseCardHeader(seal(header))).toMatchObject(header);
  }
  for (const header of [{ spanBlocks: 0 }, { spanBlocks: 32 }, { packets: 0 }, { packets: 2001 }]) {
    expect(() => seal(header)).toThrow(OutOfRangeError);
  }
});

test('a card part of another version, without a span or cut short is refused', () => {
  const part = sealPart(1);
  const sent = shortenCardPart(part);
  expect(readCardPartLength(sent)).toBe(sent.length);
  const withSecond = (octets: Uint8Array, second: number) => octets.map((octet, i) => (i === 1 ? second : octet));
  const second = part[1]!;
  for (const version of [0, 2, 7]) {
    const other = (version << 5) | (second & 31);
    expect(() => readCardPartLength(withSecond(sent, other))).toThrow(FormatError);
    expect(() => parseCardHeader(withSecond(part, other))).toThrow(FormatError);
  }
  expect(() => readCardPartLength(withSecond(sent, second & ~31))).toThrow(FormatError);
  expect(() => readCardPartLength(sent.subarray(0, -1))).toThrow(FormatError);
  expect(() => parseCardHeader(part.subarray(0, -1))).toThrow(FormatError);
});

test('a blind DECODE takes 1 to 15 whole blocks', () => {
  const packet = { keyId: 1, ssrc: 2, number: 3 };
  const encryption = new AesCbc(KEY);
  for (const length of [16, 240]) {
    const plain = new Uint8Array(length).fill(9);
    const blocks = sealBlind(encryption, packet, plain);
    expect(openBlind(encryption, packet, blocks)).toEqual(plain);
    expect(encodeBlind(packet, blocks)).toHaveLength(12 + length);
  }
  for (const length of [0, 15, 17, 256]) {
    const octets = new Uint8Array(length);
    expect(() => sealBlind(encryption, packet, octets)).toThrow(OutOfRangeError);
    expect(() => openBlind(encryption, packet, octets)).toThrow(OutOfRangeError);
    expect(() => encodeBlind(packet, octets)).toThrow(OutOfRangeError);
  }
});

test('a purchase of slots has 1 to 32 seeds', () => {
  const seal = (count: number) => {
    const labels = Array.from({ length: count }, (_, index) => ({ level: 6, index }));
    const purchase = { service: 7, keyId: 1, from: START, to: END, number: 1, ceilings: CEILINGS, labels };
    return sealSeedPurchase(purchase, KEY, SERIAL, CARD_KEYS.downlink);
  };
  expect(seal(1)).toHaveLength(1);
  expect(seal(32)).toHaveLength(4);
  for (const count of [0, 33]) expect(() => seal(count)).toThrow(OutOfRangeError);
});

test('a quantum is no more than a purse can hold', () => {
  expect(encodeCeilings({ ...CEILINGS, quantum: MAX_MONEY })).toHaveLength(32);
  expect(() => encodeCeilings({ ...CEILINGS, quantum: MAX_MONEY + 1n })).toThrow(OutOfRangeError);
});

test('content terms have no price when free, even SSRCs and one suite', () => {
  const terms: ContentTerms = {
    tariff: { kind: 'octets', price: 0xffff_ffffn },
    classes: { card: true, soft: false },
    segmentId: 1,
    ssrcs: [2, 4],
    masterSalt: KEY.subarray(0, 12),
  };
  const body = encodeContentTerms(terms);
  expect(decodeContentTerms(body)).toEqual(terms);
  const refused: Partial<ContentTerms>[] = [
    { tariff: { kind: 'free', price: 1n } },
    { tariff: { kind: 'octets', price: 0x1_0000_0000n } },
    { ssrcs: [3, 4] },
    { ssrcs: [2, 5] },
    { ssrcs: [3] },
    { masterSalt: KEY },
  ];
  for (const change of refused) expect(() => encodeContentTerms({ ...terms, ...change })).toThrow(OutOfRangeError);
  for (const suite of [0, 2]) {
    expect(() => decodeContentTerms(body.map((octet, i) => (i === 3 ? suite : octet)))).toThrow(FormatError);
  }
});

test('limits of a card that set what this version reserves are refused', () => {
  const limits = { ...NO_LIMITS, ratingLimit: 255, pinForSessions: true, pinLiftsRating: true };
  const value = encodeCardLimits(limits);
  expect(decodeCardLimits(value)).toEqual(limits);
  for (const [at, octet] of [
    [7, 4],
    [7, 0x80],
    [8, 1],
    [15, 1],
  ] as const) {
    expect(() => decodeCardLimits(value.map((old, i) => (i === at ? octet : old)))).toThrow(FormatError);
  }
  for (const ratingLimit of [-1, 256]) {
    expect(() => encodeCardLimits({ ...limits, ratingLimit })).toThrow(OutOfRangeError);
  }
});

test('there are four places for verification keys', () => {
  const key = { id: 1, key: new Uint8Array(32).fill(5) };
  for (const place of [0, 3]) expect(encodeVerificationKey(place, key)[0]).toBe(place);
  for (const place of [-1, 4, 1.5]) expect(() => encodeVerificationKey(place, key)).toThrow(OutOfRangeError);
  expect(() => encodeVerificationKey(0, { ...key, id: 0 })).toThrow(OutOfRangeError);
  expect(() => encodeVerificationKey(0, { ...key, key: KEY })).toThrow(OutOfRangeError);
});

test('a PIN has 4 to 8 digits, and the error does not tell it', () => {
  expect(encodePin('1234')).toEqual(Uint8Array.of(0x31, 0x32, 0x33, 0x34, 0xff, 0xff, 0xff, 0xff));
  expect(encodePin('12345678')).toEqual(Uint8Array.of(0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38));
  for (const pin of ['987', '987654321', '9876a', '']) {
    expect(() => encodePin(pin)).toThrow('a PIN has 4 to 8 digits; type it again');
  }
});

test('the private half of a service is one of P-256', () => {
  const seal = (privateKey: Uint8Array) => {
    const purchase = { service: 7, keyId: 1, from: START, to: END, number: 1, ceilings: CEILINGS, privateKey };
    return sealServicePair(purchase, { serial: SERIAL, downlinkKey: CARD_KEYS.downlink });
  };
  expect(seal(SERVICE_PAIR.privateKey).kind).toBe(KIND.servicePair);
  for (const wrong of [new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
    expect(() => seal(wrong)).toThrow(OutOfRangeError);
  }
});

test('a flat price falls due once in a segment, nothing does when free', () => {
  const flat = { kind: 'flat', price: 50n } as const;
  expect(ticksOf(flat, 1000, 1000, true)).toBe(50n * TICKS_PER_MICRO_UNIT);
  expect(ticksOf(flat, 1000, 1000, false)).toBe(0n);
  expect(ticksOf({ kind: 'free', price: 0n }, 1000, 1000, true)).toBe(0n);
});
