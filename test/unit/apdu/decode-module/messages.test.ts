import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AesCbc } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { decodeCeilings, encodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { decodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { encodeKeyList, parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { parseKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { signAcknowledgement } from '../../../../apdu/decode-module/money/acknowledgement.ts';
import {
  openLoadProof,
  openLoadRequest,
  parseLoadRequest,
  signLoadOrder,
  signLoadProof,
  signLoadRequest,
} from '../../../../apdu/decode-module/money/credit-load.ts';
import { parsePurseStatus } from '../../../../apdu/decode-module/money/purse-status.ts';
import { openReceipt, parseReceipt, type Receipt, signReceipt } from '../../../../apdu/decode-module/money/receipt.ts';
import {
  parseCardHeader,
  shortenCardPart,
  readCardPartLength,
  completeCardPart,
} from '../../../../apdu/decode-module/packets/card-part.ts';
import {
  decodeCardProfile,
  encodeCardKeys,
  encodeCardProfile,
} from '../../../../apdu/decode-module/personalisation.ts';
import { openConfirm, signConfirm } from '../../../../apdu/decode-module/requests/confirm.ts';
import { openLeaveRecord, signLeaveRecord } from '../../../../apdu/decode-module/requests/leave-record.ts';
import { encodeRequest, openRequest, signRequest } from '../../../../apdu/decode-module/requests/signed-request.ts';
import { encodeSelectAnswer, hasCapability, parseSelectAnswer } from '../../../../apdu/decode-module/select-answer.ts';
import { ForgedError } from '../../../../apdu/decode-module/signed-message.ts';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { concat } from '../../../../apdu/octets.ts';
import {
  CARD_ID,
  CARD_KEYS,
  sealPart,
  CEILINGS,
  sealContent,
  END,
  makeFixedKey,
  SERVICE,
  SERVICE_KEY_ID,
  sealService,
  START,
} from '../../../conformance/messages/messages.ts';

const KEY = makeFixedKey('a key');
const octets8 = fc.uint8Array({ minLength: 8, maxLength: 8 });
const u32 = fc.nat({ max: 0xffffffff });
const u48 = fc.nat({ max: 2 ** 48 - 1 });
const amount = fc.bigInt(0n, 2n ** 48n - 1n);

const receipt: fc.Arbitrary<Receipt> = fc.record({
  cardId: octets8,
  number: u32,
  service: u32,
  session: u32,
  firstSegment: u32,
  lastSegment: u32,
  octets: u48,
  duration: u48,
  groups: u32,
  from: u32,
  to: u32,
  amount,
  torn: amount,
  loaded: amount,
  spent: amount,
  currency: fc.nat({ max: 0xffff }),
  reason: fc.constantFrom('closed', 'torn'),
});

const loadRequest = fc.record({
  cardId: octets8,
  number: u32,
  currency: fc.nat({ max: 0xffff }),
  loaded: amount,
  spent: amount,
  torn: amount,
  taken: amount,
  lastLoadId: octets8,
  lastAmount: amount,
  receiptsWritten: u32,
});

describe('what a card signs', () => {
  it('is opened as it was signed, and refused with one bit changed', () => {
    fc.assert(
      fc.property(receipt, fc.nat({ max: 111 }), fc.integer({ min: 1, max: 255 }), (value, at, bits) => {
        const signed = signReceipt(value, new AesCbc(KEY));
        expect(signed).toHaveLength(112);
        expect(openReceipt(signed, KEY)).toEqual(value);
        signed[at]! ^= bits;
        expect(() => openReceipt(signed, KEY)).toThrow(at < 4 ? FormatError : ForgedError);
      }),
    );
    fc.assert(
      fc.property(loadRequest, fc.integer({ min: 4, max: 79 }), (value, at) => {
        const signed = signLoadRequest(value, new AesCbc(KEY));
        expect(openLoadRequest(signed, KEY)).toEqual(value);
        expect(parseLoadRequest(signed)).toEqual(value);
        signed[at]! ^= 1;
        expect(() => openLoadRequest(signed, KEY)).toThrow(ForgedError);
      }),
    );
  });

  const request = {
    service: SERVICE,
    from: START,
    to: END,
    requestId: KEY.subarray(0, 8),
    sessionHash: new Uint8Array(20).fill(7),
  };
  const leave = { cardId: CARD_ID, service: SERVICE, keyId: SERVICE_KEY_ID, number: 3, to: START };
  const mac = new AesCbc(KEY);

  it.each([
    ['confirm', openConfirm, signConfirm(CARD_ID, sealService(3), mac), { ...leave, from: START, to: END }],
    ['leave record', openLeaveRecord, signLeaveRecord(leave, mac), leave],
    [
      'request',
      openRequest,
      signRequest(KIND.join, CARD_ID, encodeRequest(request), mac),
      { ...request, kind: 'join', cardId: CARD_ID },
    ],
  ] as const)(
    'a %s is opened as it was signed; nothing of it changed, cut or added, and with no other key',
    (...of) => {
      const [, open, signed, value] = of;
      expect(open(signed, KEY)).toEqual(value);
      for (let at = 0; at < signed.length; at++) {
        const forged = signed.map((octet, i) => (i === at ? octet ^ 0x80 : octet));
        expect(() => open(forged, KEY), `octet ${at}`).toThrow(at < 4 ? FormatError : ForgedError);
      }
      expect(() => open(signed, makeFixedKey('another key'))).toThrow(ForgedError);
      expect(() => open(signed.subarray(0, -1), KEY)).toThrow(FormatError);
      expect(() => open(concat(signed, Uint8Array.of(0)), KEY)).toThrow(FormatError);
    },
  );

  it('a receipt that is read without its key has its own length', () => {
    const values = fc.sample(receipt, 1)[0]!;
    const signed = signReceipt(values, mac);
    expect(parseReceipt(signed)).toEqual(values);
    expect(() => parseReceipt(concat(signed, Uint8Array.of(0)))).toThrow(FormatError);
    expect(() => parseReceipt(signed.subarray(0, -1))).toThrow(FormatError);
  });

  it('proves a load order with its own fields, and the proof is not an order', () => {
    const order = {
      cardId: CARD_ID,
      number: 5,
      currency: 840,
      amount: 123n,
      loadId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    };
    const s2 = signLoadOrder(order, KEY);
    expect(openLoadProof(signLoadProof(s2, new AesCbc(KEY)), KEY)).toEqual(order);
    expect(() => openLoadProof(s2, KEY)).toThrow(FormatError);
  });

  it('refuses amounts and ids that do not fit', () => {
    const order = { cardId: CARD_ID, number: 1, currency: 840, amount: 2n ** 48n, loadId: new Uint8Array(8) };
    expect(() => signLoadOrder(order, KEY)).toThrow(/amount is 281474976710656/);
    expect(() => signLoadOrder({ ...order, amount: -1n }, KEY)).toThrow(OutOfRangeError);
    expect(() => signLoadOrder({ ...order, amount: 1n, loadId: KEY }, KEY)).toThrow(OutOfRangeError);
    expect(() => signAcknowledgement(CARD_ID, 2 ** 32, KEY)).toThrow(OutOfRangeError);
    expect(() => signAcknowledgement(KEY, 1, KEY)).toThrow(OutOfRangeError);
  });
});

describe('what a card says', () => {
  it('is read as it was written, to SELECT', () => {
    const answer = {
      version: 1,
      cardId: CARD_ID,
      life: 'active' as const,
      capabilities: 0x0f,
      maxSpan: 208,
      maxCommandData: 255,
      currency: 840,
    };
    expect(parseSelectAnswer(encodeSelectAnswer(answer))).toEqual(answer);
    expect([hasCapability(answer, 'flat'), hasCapability(answer, 'scp03')]).toEqual([true, false]);
    for (const wrong of [{ maxSpan: 64 }, { maxSpan: 216 }, { maxCommandData: 126 }]) {
      expect(() => parseSelectAnswer(encodeSelectAnswer({ ...answer, ...wrong }))).toThrow(FormatError);
    }
  });

  it('tells of the purse what is left with the open session in it', () => {
    const octets = new Uint8Array(70);
    octets[9] = 100; // loaded
    octets[15] = 10; // spent
    octets[47] = 50; // taken
    octets[52] = 0x05; // used: 83,886,080 ticks, more than 4 micro-units
    octets[59] = 3;
    octets[63] = 1;
    const purse = parsePurseStatus(octets);
    expect(purse).toMatchObject({ loaded: 100n, spent: 10n, taken: 50n, usedTicks: 83_886_080n });
    expect([purse.used, purse.balance, purse.available, purse.receiptsDue]).toEqual([5n, 85n, 40n, 2]);
  });

  it('is read as it was written, in a key list', () => {
    const entry = fc.record({
      kind: fc.nat({ max: 255 }),
      parentKind: fc.nat({ max: 255 }),
      service: u32,
      keyId: u32,
      from: u32,
      to: u32,
    });
    fc.assert(
      fc.property(fc.array(entry), (list) => {
        expect(parseKeyList(encodeKeyList(list))).toEqual(list);
      }),
    );
  });
});

describe('what a card is given', () => {
  it('is read as it was written, in profile and ceilings', () => {
    const profile = {
      cardId: CARD_ID,
      currency: 978,
      maximumBalance: 2n ** 39n - 1n,
      maximumUnacknowledged: 2n ** 48n - 1n,
    };
    expect(decodeCardProfile(encodeCardProfile(profile))).toEqual(profile);
    expect(() => encodeCardProfile({ ...profile, maximumBalance: 2n ** 39n })).toThrow(OutOfRangeError);
    expect(() => encodeCardProfile({ ...profile, currency: 65_536 })).toThrow(OutOfRangeError);
    expect(() => encodeCardKeys({ ...CARD_KEYS, uplink: new Uint8Array(15) })).toThrow(/uplink/);
    expect(decodeCeilings(encodeCeilings(CEILINGS))).toEqual(CEILINGS);
    expect(() => encodeCeilings({ ...CEILINGS, quantum: 0n })).toThrow(/quantum is 0; it must lie within 1/);
  });

  it('has stream and group again in a card part that lost them on its way', () => {
    const part = sealPart(77, { spanBlocks: 7, mode: 'open' });
    const sent = shortenCardPart(part);
    expect(readCardPartLength(sent)).toBe(part.length - 8);
    expect(completeCardPart(sent, 0x10000002, 77)).toEqual(part);
    expect(parseCardHeader(part)).toMatchObject({ mode: 'open', spanBlocks: 7, group: 77 });
  });
});

describe('octets of any kind', () => {
  const parsers: Record<string, (octets: Uint8Array) => unknown> = {
    parseSelectAnswer,
    parseReceipt,
    parseLoadRequest,
    parseKeyList,
    parseKeyMessage,
    parseCardHeader,
    readCardPartLength,
    decodeCeilings,
    decodeContentTerms,
    decodeCardProfile,
    purse: (octets) => parsePurseStatus(octets),
  };
  const whole = [
    encodeSelectAnswer({
      version: 1,
      cardId: CARD_ID,
      life: 'blocked',
      capabilities: 0,
      maxSpan: 208,
      maxCommandData: 255,
      currency: 0,
    }),
    sealService(1),
    sealContent(),
    sealPart(1),
  ];
  const nearly = fc
    .record({ of: fc.constantFrom(...whole), at: fc.nat(), bits: fc.nat({ max: 255 }), length: fc.nat({ max: 300 }) })
    .map(({ of, at, bits, length }) => {
      const octets = of.slice(0, length);
      if (octets.length > 0) octets[at % octets.length]! ^= bits;
      return octets;
    });

  it.each(Object.entries(parsers))('%s reads them or throws FormatError', (_, parse) => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), nearly), (octets) => {
        try {
          parse(octets);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
