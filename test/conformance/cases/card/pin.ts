import { encodeCardLimits, NO_LIMITS } from '../../../../apdu/decode-module/card-limits.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { concat } from '../../../../apdu/octets.ts';
import { KEYS, PROFILE, SERVICE } from '../../messages/messages.ts';
import type { Case, Tester } from '../../tester.ts';

const PIN = encodePin('2580');
const NEW = encodePin('12345678');
const WRONG = encodePin('2581');

async function verify(tester: Tester, pin: Uint8Array, status: number = STATUS.DONE): Promise<void> {
  await tester.send(INS.VERIFY, pin, status);
}

async function change(tester: Tester, old: Uint8Array, pin: Uint8Array, status: number = STATUS.DONE): Promise<void> {
  await tester.send(INS.CHANGE_PIN, concat(old, pin), status);
}

async function withPin(tester: Tester, pinForSessions = false): Promise<void> {
  await tester.storeData(0x8002, PIN, false);
  await tester.storeData(0x0002, encodeCardLimits({ ...NO_LIMITS, pinForSessions }), false);
  await tester.storeData(0x0001, PROFILE, false);
  await tester.activate(0x8001, KEYS);
}

export const pinCases: readonly Case[] = [
  {
    name: 'no PIN was set: 6A88, after the length',
    from: 'active',
    async run(tester) {
      await verify(tester, PIN, STATUS.UNKNOWN_KEY);
      await change(tester, PIN, NEW, STATUS.UNKNOWN_KEY);
      for (const length of [0, 7, 9]) await verify(tester, new Uint8Array(length), STATUS.WRONG_LENGTH);
      for (const length of [0, 8, 15, 17])
        await tester.send(INS.CHANGE_PIN, new Uint8Array(length), STATUS.WRONG_LENGTH);
    },
  },
  {
    name: 'three wrong ones in a row block it, also across resets; a right one gives all tries back',
    from: 'blank',
    async run(tester) {
      await verify(tester, PIN, STATUS.NOT_NOW);
      await withPin(tester);
      await verify(tester, WRONG, 0x63c2);
      await tester.reset();
      await tester.select();
      await verify(tester, WRONG, 0x63c1);
      await verify(tester, PIN);
      await verify(tester, WRONG, 0x63c2);
      await change(tester, WRONG, NEW, 0x63c1);
      await verify(tester, WRONG, 0x63c0);
      await verify(tester, PIN, STATUS.PIN_BLOCKED);
      await change(tester, PIN, NEW, STATUS.PIN_BLOCKED);
      await tester.reset();
      await tester.select();
      await verify(tester, PIN, STATUS.PIN_BLOCKED);
    },
  },
  {
    name: 'CHANGE PIN: the old one is gone, the new one still to be verified',
    from: 'blank',
    async run(tester) {
      await withPin(tester, true);
      await change(tester, PIN, NEW);
      await tester.open(SERVICE, STATUS.SECURITY);
      await verify(tester, PIN, 0x63c2);
      await verify(tester, NEW);
      await tester.open();
      await change(tester, NEW, PIN);
      await tester.open(SERVICE, STATUS.SECURITY);
    },
  },
  {
    name: 'DGI 8002 sets a PIN that is not verified, with all tries',
    from: 'blank',
    async run(tester) {
      await withPin(tester, true);
      await verify(tester, PIN);
      await tester.open();
      for (const pin of [PIN, NEW]) {
        await tester.storeData(0x8002, pin, false);
        await tester.open(SERVICE, STATUS.SECURITY);
        await verify(tester, WRONG, 0x63c2);
        await tester.storeData(0x8002, pin, false);
        await verify(tester, WRONG, 0x63c2);
        await verify(tester, pin);
        await tester.open();
      }
    },
  },
  {
    name: 'policy: OPEN needs the PIN, until SELECT, reset or a wrong one',
    from: 'blank',
    async run(tester) {
      await withPin(tester, true);
      await tester.open(SERVICE, STATUS.SECURITY);
      await tester.open(0, STATUS.SECURITY);
      await verify(tester, PIN);
      await tester.open(0, STATUS.BAD_FIELD);
      await tester.open();
      await tester.select();
      await tester.open(SERVICE, STATUS.SECURITY);
      await verify(tester, PIN);
      await tester.reset();
      await tester.select();
      await tester.open(SERVICE, STATUS.SECURITY);
      await verify(tester, PIN);
      await verify(tester, WRONG, 0x63c2);
      await tester.open(SERVICE, STATUS.SECURITY);
    },
  },
];
