import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import type { CommandApdu } from '../../../../apdu/iso7816/command-apdu.ts';
import { concat, fromHex } from '../../../../apdu/octets.ts';
import {
  deriveHostCryptogram,
  deriveSessionKeys,
  type SessionKeys,
} from '../../../../apdu/secure-channel/scp03-keys.ts';
import {
  chainCommand,
  CHANNEL_MAC_LENGTH,
  encipher,
  FIRST_CHAINING,
} from '../../../../apdu/secure-channel/secure-messaging.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import type { Case, Tester } from '../../tester.ts';

const CHALLENGE = new Uint8Array(8).fill(3);
const NONE = new Uint8Array(0);
const ZERO = new Uint8Array(16);
/** Shorter than a C-MAC: where a channel is open it closes it. */
const SHORT = fromHex('8440000007 00000000000000');

/** Wraps data as they are, however wrong; the channel is opened with C-MAC and C-ENC. */
class RawChannel {
  readonly keys: SessionKeys;
  chaining: Uint8Array = FIRST_CHAINING;

  constructor(keys: SessionKeys) {
    this.keys = keys;
  }

  static async open(tester: Tester): Promise<RawChannel> {
    const update = { cla: 0x80, ins: INS.INITIALIZE_UPDATE, p1: 0, p2: 0, data: CHALLENGE, le: 256 };
    const cardChallenge = (await tester.command(update)).slice(13, 21);
    const keys = deriveSessionKeys(TEST_KEY_SET, CHALLENGE, cardChallenge);
    const raw = new RawChannel(keys);
    const cryptogram = deriveHostCryptogram(keys, CHALLENGE, cardChallenge);
    await tester.command(raw.wrap(INS.EXTERNAL_AUTHENTICATE, cryptogram, 0x03));
    return raw;
  }

  /** @param data as sent, in front of a right C-MAC. */
  wrap(ins: number, data: Uint8Array, p1 = 0): CommandApdu {
    const header = { ins, p1, p2: 0 };
    this.chaining = chainCommand(this.keys.mac, this.chaining, header, data);
    return { cla: 0x84, ...header, data: concat(data, this.chaining.subarray(0, CHANNEL_MAC_LENGTH)), le: 256 };
  }
}

export const wrappingCases: readonly Case[] = [
  {
    name: 'a wrapped command that does not agree with its Lc, or is extended, is 6700 and closes nothing',
    from: 'active',
    platform: true,
    async run(tester) {
      await tester.select();
      await tester.raw(fromHex('8440000009 0000000000000000'), STATUS.WRONG_LENGTH);
      await tester.secure(0x13);
      for (const command of [
        '8440000009 0000000000000000',
        '8440000007 000000000000000000',
        '84400000 000008 0000000000000000',
        '84400000 000000',
        '84400000 0000',
      ]) {
        await tester.raw(fromHex(command), STATUS.WRONG_LENGTH);
        await tester.inside(INS.GET_PURSE, 0, 0, NONE);
      }
      // Nor do a class that the INS does not have, another logical channel, and what the class says is not wrapped.
      for (const [command, status] of [
        ['84a40400', STATUS.UNKNOWN_CLASS],
        ['84c00000', STATUS.UNKNOWN_CLASS],
        ['85400000', STATUS.NOT_SELECTED],
        ['8482010000', STATUS.WRONG_LENGTH],
        ['84821300', STATUS.WRONG_LENGTH],
      ] as const) {
        await tester.raw(fromHex(command), status);
        await tester.inside(INS.GET_PURSE, 0, 0, NONE);
      }
      await tester.inside(0x77, 0, 0, NONE, STATUS.UNKNOWN_INSTRUCTION);
      await tester.inside(INS.GET_PURSE, 0, 0, NONE);
    },
  },
  {
    name: 'a wrapped command shorter than a C-MAC: 6988, and the channel is closed',
    from: 'active',
    async run(tester) {
      await tester.select();
      await tester.raw(SHORT, STATUS.NOT_NOW);
      for (const command of ['84400000', '8440000000', '8440000001 00', '8440000007 00000000000000', '84770000']) {
        await tester.secure(0x13);
        await tester.raw(fromHex(command), STATUS.CRYPTO);
        await tester.inside(INS.GET_PURSE, 0, 0, NONE, STATUS.NOT_NOW);
        await tester.raw(SHORT, STATUS.NOT_NOW);
      }
    },
  },
  {
    name: 'under a right C-MAC, padding that is not in the last block or data that is not whole blocks: 6988, closed',
    from: 'active',
    async run(tester) {
      const service = Uint8Array.of(0, 0, 0, 7);
      const right = await RawChannel.open(tester);
      await tester.command(right.wrap(INS.OPEN_SESSION, encipher(right.keys.enc, 1, service)));
      // Counted also where there is nothing to decipher.
      await tester.command(right.wrap(INS.GET_PURSE, NONE));
      await tester.command(right.wrap(INS.OPEN_SESSION, encipher(right.keys.enc, 3, service)));
      const wrong: ReadonlyArray<(keys: SessionKeys) => Uint8Array> = [
        // No padding at all: the first block of two.
        ({ enc }) => encipher(enc, 1, ZERO).subarray(0, 16),
        ({ enc }) => encipher(enc, 1, ZERO.with(15, 0x81)).subarray(0, 16),
        // Its 80 with a block of zeros behind.
        ({ enc }) => encipher(enc, 1, concat(ZERO.with(4, 0x80), ZERO)).subarray(0, 32),
        ({ enc }) => encipher(enc, 1, concat(ZERO.with(15, 0x80), ZERO)).subarray(0, 32),
        ({ enc }) => encipher(enc, 1, service).subarray(0, 15),
        ({ enc }) => concat(encipher(enc, 1, service), Uint8Array.of(0)),
        // The vector of another command.
        ({ enc }) => encipher(enc, 2, service),
      ];
      for (const make of wrong) {
        const raw = await RawChannel.open(tester);
        await tester.command(raw.wrap(INS.OPEN_SESSION, make(raw.keys)), STATUS.CRYPTO);
        await tester.raw(SHORT, STATUS.NOT_NOW);
      }
      // A whole block of padding.
      const raw = await RawChannel.open(tester);
      const padded = encipher(raw.keys.enc, 1, ZERO);
      await tester.command(raw.wrap(INS.OPEN_SESSION, padded), STATUS.WRONG_LENGTH);
      await tester.raw(SHORT, STATUS.CRYPTO);
    },
  },
];
