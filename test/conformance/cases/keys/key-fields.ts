import { keyBodyAt } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { CEILINGS as CEILINGS_LAYOUT, CONTENT_TERMS, KEY_MESSAGE_HEADER as KEY } from '../../../../apdu/layout/keys.ts';
import {
  CARD_KEYS,
  CEILINGS,
  sealContent,
  findKey,
  KEYS,
  PROFILE,
  sealAnew,
  SEGMENT_KEY_ID,
  sealSegment,
  SERVICE,
  SERVICE_KEY_ID,
  sealService,
  START,
  USD,
} from '../../messages/messages.ts';
import { sealPairPurchase } from '../../messages/pair-messages.ts';
import { sealSeedParts } from '../../messages/purchase-messages.ts';
import type { Case } from '../../tester.ts';

/** Where the body stands. */
const BODY_AT = keyBodyAt(KIND.content);

const DOWNLINK = CARD_KEYS.downlink;
const SERVICE_KEY = findKey(KIND.service, SERVICE, SERVICE_KEY_ID);
const SEGMENT_KEY = findKey(KIND.segment, SERVICE, SEGMENT_KEY_ID);

export const keyFieldCases: readonly Case[] = [
  {
    name: 'reserved octets, service 0, an empty validity or a number: 6A80',
    from: 'playing',
    async run(tester) {
      for (const at of [25, 26, 27]) {
        await tester.loadKey(
          sealAnew(sealSegment(), SERVICE_KEY, (octets) => (octets[at] = 0x80)),
          STATUS.BAD_FIELD,
        );
      }
      await tester.loadKey(sealService(2, {}, { service: 0 }), STATUS.BAD_FIELD);
      const validity = (from: number, to: number): Uint8Array =>
        sealAnew(sealSegment(), SERVICE_KEY, (octets) => {
          KEY.writeUint(octets, 'from', from);
          KEY.writeUint(octets, 'to', to);
        });
      await tester.loadKey(validity(START, START), STATUS.BAD_FIELD);
      await tester.loadKey(validity(START + 1, START), STATUS.BAD_FIELD);
      await tester.loadKey(validity(0xffffffff, 0), STATUS.BAD_FIELD);
      await tester.loadKey(sealSegment({ number: 1 }), STATUS.BAD_FIELD);
      await tester.loadKey(sealContent({}, { number: 0x80000000 }), STATUS.BAD_FIELD);
    },
  },
  {
    name: 'ceilings outside the table: 6A80; the number is not used up',
    from: 'active',
    async run(tester) {
      const body = (change: (octets: Uint8Array) => void): Uint8Array => sealAnew(sealService(1), DOWNLINK, change);
      await tester.loadKey(
        body((octets) => CEILINGS_LAYOUT.writeUint(octets, 'quantum', 0, BODY_AT)),
        STATUS.BAD_FIELD,
      );
      await tester.loadKey(
        body((octets) => CEILINGS_LAYOUT.writeUint(octets, 'quantum', 2 ** 39, BODY_AT)),
        STATUS.BAD_FIELD,
      );
      for (let at = 24; at < 32; at++)
        await tester.loadKey(
          body((octets) => (octets[BODY_AT + at] = 1)),
          STATUS.BAD_FIELD,
        );
      await tester.loadKey(body((octets) => CEILINGS_LAYOUT.writeUint(octets, 'quantum', 2 ** 39 - 1, BODY_AT)));
    },
  },
  {
    name: 'a purchase names the currency of the card or none, else 6A80',
    from: 'active',
    long: true,
    async run(tester) {
      const yen = 392;
      await tester.loadKey(sealService(1, { currency: yen }), STATUS.BAD_FIELD);
      await tester.loadKey(sealService(1, { currency: USD + 256 }), STATUS.BAD_FIELD);
      await tester.loadKey(sealService(1, { currency: USD }));
      await tester.loadKey(sealService(2, {}, { keyId: 2 }));
      // Of seeds and private halves too, where the ceilings stand elsewhere.
      for (const [message, at] of [
        [sealSeedParts(5, 0, 8)[0]!, 192],
        [sealPairPurchase(6), 64],
      ] as const) {
        const inCurrency = (currency: number): Uint8Array =>
          sealAnew(message, DOWNLINK, (octets) => CEILINGS_LAYOUT.writeUint(octets, 'currency', currency, at));
        await tester.loadKey(inCurrency(yen), STATUS.BAD_FIELD);
        await tester.loadKey(inCurrency(USD));
      }
    },
  },
  {
    name: 'content values outside the table: 6A80',
    from: 'playing',
    async run(tester) {
      const body = (change: (octets: Uint8Array) => void): Uint8Array =>
        sealAnew(sealContent({}, { keyId: 5001 }), SEGMENT_KEY, change);
      for (const tariff of [4, 0x80, 0xff])
        await tester.loadKey(
          body((octets) => CONTENT_TERMS.writeUint(octets, 'tariff', tariff, BODY_AT)),
          STATUS.BAD_FIELD,
        );
      for (const classes of [4, 0x83])
        await tester.loadKey(
          body((octets) => CONTENT_TERMS.writeUint(octets, 'classes', classes, BODY_AT)),
          STATUS.BAD_FIELD,
        );
      for (const suite of [0, 2])
        await tester.loadKey(
          body((octets) => CONTENT_TERMS.writeUint(octets, 'suite', suite, BODY_AT)),
          STATUS.BAD_FIELD,
        );
      await tester.loadKey(
        body((octets) => CONTENT_TERMS.writeUint(octets, 'tariff', 0, BODY_AT)),
        STATUS.BAD_FIELD,
      );
      for (const at of [12, 15, 36, 47])
        await tester.loadKey(
          body((octets) => (octets[BODY_AT + at] = 1)),
          STATUS.BAD_FIELD,
        );
      await tester.loadKey(body((octets) => CONTENT_TERMS.writeUint(octets, 'price', 0, BODY_AT)));
    },
  },
  {
    name: 'a class that the content does not accept: 940A, before its price',
    from: 'playing',
    async run(tester) {
      const dear = { price: CEILINGS.perMegabyte + 1n };
      await tester.loadKey(sealContent({ card: false }, { keyId: 5001 }), STATUS.CLASS_REFUSED);
      await tester.loadKey(sealContent({ card: false, ...dear }, { keyId: 5001 }), STATUS.CLASS_REFUSED);
      await tester.loadKey(sealContent({ card: false, soft: false }, { keyId: 5001 }), STATUS.CLASS_REFUSED);
      await tester.loadKey(sealContent(dear, { keyId: 5001 }), STATUS.ABOVE_CEILING);
      await tester.loadKey(sealContent({ soft: false }, { keyId: 5001 }));
    },
  },
  {
    name: 'a card whose id says soft takes what soft modules may have',
    from: 'blank',
    async run(tester) {
      const profile = PROFILE.slice();
      profile[3] = 2;
      await tester.storeData(0x0001, profile, false);
      await tester.activate(0x8001, KEYS);
      await tester.loadKey(sealService(1));
      await tester.loadKey(sealSegment());
      await tester.loadKey(sealContent({ soft: false }), STATUS.CLASS_REFUSED);
      await tester.loadKey(sealContent({ card: false }));
    },
  },
  {
    name: 'a price above the ceiling of its tariff: 9402',
    from: 'playing',
    async run(tester) {
      const ceilings = [
        ['octets', CEILINGS.perMegabyte],
        ['duration', CEILINGS.perHour],
        ['flat', CEILINGS.flat],
      ] as const;
      for (const [kind, price] of ceilings) {
        await tester.loadKey(sealContent({ kind, price: price + 1n }), STATUS.ABOVE_CEILING);
        await tester.loadKey(sealContent({ kind, price: 0xffffffffn }), STATUS.ABOVE_CEILING);
        await tester.loadKey(sealContent({ kind, price }));
        await tester.loadKey(
          sealContent({ kind, price: price + 1n }, { parentKind: KIND.service, parentId: SERVICE_KEY_ID }),
          STATUS.ABOVE_CEILING,
        );
      }
    },
  },
];
