import { cmac } from '@noble/ciphers/aes.js';
import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../../../apdu/decode-module/keys/key-list.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { MODULE_AID } from '../../../../apdu/decode-module/select-answer.ts';
import { concat, fromHex } from '../../../../apdu/octets.ts';
import { deriveHostCryptogram, deriveSessionKeys } from '../../../../apdu/secure-channel/scp03-keys.ts';
import { chainCommand, CHANNEL_MAC_LENGTH, FIRST_CHAINING } from '../../../../apdu/secure-channel/secure-messaging.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import { makeSpan, sealPart, sealService } from '../../messages/messages.ts';
import { bringUp, type Case, type Tester } from '../../tester.ts';

const NONE = new Uint8Array(0);
const CHALLENGE = new Uint8Array(8).fill(4);
const SELECT = { cla: 0, ins: INS.SELECT, p1: 4, p2: 0, data: MODULE_AID, le: 256 };
const GET_PURSE = { cla: 0x80, ins: INS.GET_PURSE, p1: 0, p2: 0, le: 256 };
const GET_RESPONSE = { cla: 0, ins: INS.GET_RESPONSE, p1: 0, p2: 0, le: 256 };
const CHANNELS = [1, 2, 3] as const;

/** Resets the card and selects the module on another logical channel, on which the case goes on. */
async function moveTo(tester: Tester, logicalChannel: number): Promise<void> {
  await tester.reset();
  tester.logicalChannel = logicalChannel;
  await tester.select();
}

/** EXTERNAL AUTHENTICATE with level C-MAC, its C-MAC made over a CLA. */
async function authenticate(tester: Tester, macedClass: number, status: number): Promise<void> {
  const update = { cla: 0x80, ins: INS.INITIALIZE_UPDATE, p1: 0, p2: 0, data: CHALLENGE, le: 256 };
  const cardChallenge = (await tester.command(update)).slice(13, 21);
  const keys = deriveSessionKeys(TEST_KEY_SET, CHALLENGE, cardChallenge);
  const cryptogram = deriveHostCryptogram(keys, CHALLENGE, cardChallenge);
  const header = { ins: INS.EXTERNAL_AUTHENTICATE, p1: 0x01, p2: 0 };
  const maced = concat(FIRST_CHAINING, Uint8Array.of(macedClass, header.ins, header.p1, header.p2, 16), cryptogram);
  const chaining = cmac(maced, keys.mac);
  if (macedClass === 0x84) expect(chaining).toEqual(chainCommand(keys.mac, FIRST_CHAINING, header, cryptogram));
  await tester.command(
    { cla: 0x84, ...header, data: concat(cryptogram, chaining.subarray(0, CHANNEL_MAC_LENGTH)) },
    status,
  );
}

export const logicalChannelCases: readonly Case[] = [
  ...CHANNELS.map((logicalChannel): Case => ({
    name: `logical channel ${logicalChannel}: personalised, loaded and played as on the basic one`,
    from: 'blank',
    long: true,
    async run(tester) {
      await moveTo(tester, logicalChannel);
      await bringUp(tester);
      expect(await tester.decode(sealPart(1))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
      for (let keyId = 2; keyId <= 16; keyId++) await tester.loadKey(sealService(keyId, {}, { keyId }));
      const list = parseKeyList(await tester.send(INS.LIST_KEYS, NONE, 0x6178));
      const rest = parseKeyList(await tester.command(GET_RESPONSE));
      expect(list.length + rest.length).toBe(18);
      await tester.command(GET_RESPONSE, STATUS.NOT_NOW);
      expect(await tester.closeSession()).toMatchObject({ groups: 1 });
      await tester.secure(0x13);
      await tester.inside(INS.GET_PURSE, 0, 0, NONE);
      await tester.select();
      await tester.inside(INS.GET_PURSE, 0, 0, NONE);
    },
  })),
  {
    name: 'the C-MAC is made over CLA 84 on every logical channel; over the CLA as sent it is 6988',
    from: 'active',
    async run(tester) {
      for (const logicalChannel of CHANNELS) {
        await moveTo(tester, logicalChannel);
        await authenticate(tester, 0x84 | logicalChannel, STATUS.CRYPTO);
        await authenticate(tester, 0x84, STATUS.DONE);
      }
    },
  },
  {
    name: 'selected on the basic channel, the module is refused on another: 6985, and all goes on where it was',
    from: 'playing',
    platform: true,
    long: true,
    async run(tester) {
      for (let keyId = 2; keyId <= 16; keyId++) await tester.loadKey(sealService(keyId, {}, { keyId }));
      for (const logicalChannel of CHANNELS) {
        tester.logicalChannel = 0;
        await tester.secure(0x13);
        await tester.send(INS.LIST_KEYS, NONE, 0x6178);
        tester.logicalChannel = logicalChannel;
        await tester.command(SELECT, STATUS.NOT_NOW);
        await tester.command({ ...SELECT, data: fromHex('A000000003000000') }, STATUS.NOT_FOUND);
        await tester.command({ ...SELECT, data: NONE }, STATUS.NOT_FOUND);
        for (const command of ['00a40000', '80400000', '84400000', '00400000', '80770000', '00c00000', '84820100']) {
          await tester.raw(fromHex(command), STATUS.NOT_SELECTED);
        }
        await tester.raw(fromHex('80300000 05 0000'), STATUS.WRONG_LENGTH);
        await tester.raw(fromHex('80300000 000004 00000007'), STATUS.NOT_SELECTED);
        tester.logicalChannel = 0;
        await tester.command(GET_RESPONSE);
        await tester.inside(INS.GET_PURSE, 0, 0, NONE);
        expect(await tester.decode(sealPart(logicalChannel))).toHaveLength(64);
      }
      expect(await tester.closeSession()).toMatchObject({ groups: 3 });
    },
  },
  {
    name: 'selected on another channel, the module is refused on the basic one until a reset',
    from: 'active',
    platform: true,
    async run(tester) {
      for (const logicalChannel of CHANNELS) {
        await moveTo(tester, logicalChannel);
        tester.logicalChannel = 0;
        await tester.command(SELECT, STATUS.NOT_NOW);
        await tester.command(GET_PURSE, STATUS.NOT_SELECTED);
        tester.logicalChannel = logicalChannel;
        await tester.command(GET_PURSE);
      }
      await moveTo(tester, 0);
      await tester.command(GET_PURSE);
    },
  },
  {
    name: 'before SELECT nothing else is answered on any logical channel',
    from: 'active',
    platform: true,
    async run(tester) {
      for (const logicalChannel of CHANNELS) {
        await tester.reset();
        tester.logicalChannel = logicalChannel;
        for (const command of ['80400000', '84400000', '00c00000', '84820100']) {
          await tester.raw(fromHex(command), STATUS.NOT_SELECTED);
        }
        await tester.command({ ...SELECT, data: fromHex('A000000003000000') }, STATUS.NOT_FOUND);
        await tester.command(GET_PURSE, STATUS.NOT_SELECTED);
      }
    },
  },
  {
    name: 'a class that is not the instruction’s is 6E00 on every logical channel; further channels are 6E00',
    from: 'active',
    platform: true,
    async run(tester) {
      for (const logicalChannel of [0, ...CHANNELS]) {
        await moveTo(tester, logicalChannel);
        for (const cla of [0x00, 0x04, 0x08, 0x0c, 0x10, 0x40, 0x60, 0x88, 0x8c, 0x90, 0xa0, 0xc0, 0xe0, 0xfc]) {
          await tester.command({ ...GET_PURSE, cla }, STATUS.UNKNOWN_CLASS);
        }
        for (const cla of [0x04, 0x08, 0x40, 0x80, 0x84]) {
          await tester.command({ ...GET_RESPONSE, cla }, STATUS.UNKNOWN_CLASS);
          await tester.command({ ...SELECT, cla }, STATUS.UNKNOWN_CLASS);
        }
        for (const cla of [0x00, 0x04, 0x80, 0x8c]) {
          await tester.raw(Uint8Array.of(cla, INS.EXTERNAL_AUTHENTICATE, 1, 0), STATUS.UNKNOWN_CLASS);
        }
        await tester.command(GET_PURSE);
      }
    },
  },
];
