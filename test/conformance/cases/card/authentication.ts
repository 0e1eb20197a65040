import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { type CommandApdu, encodeCommand } from '../../../../apdu/iso7816/command-apdu.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { deriveHostCryptogram, deriveSessionKeys } from '../../../../apdu/secure-channel/scp03-keys.ts';
import { Scp03Session } from '../../../../apdu/secure-channel/scp03-session.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import type { Case, Tester } from '../../tester.ts';

const CHALLENGE = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1);
const OTHER_CHALLENGE = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 0);
const GET_PURSE = { cla: 0x80, ins: INS.GET_PURSE, p1: 0, p2: 0, le: 256 };

async function initialize(
  tester: Tester,
  change: Partial<CommandApdu> = {},
  status: number = STATUS.DONE,
): Promise<Uint8Array> {
  const update = { cla: 0x80, ins: INS.INITIALIZE_UPDATE, p1: 0, p2: 0, data: CHALLENGE, le: 256 };
  return tester.command({ ...update, ...change }, status);
}

/** INITIALIZE UPDATE that is refused, in every way that an active card has. */
async function refusedUpdates(tester: Tester): Promise<void> {
  await initialize(tester, { p2: 1 }, STATUS.WRONG_PARAMETERS);
  await initialize(tester, { data: CHALLENGE.subarray(1) }, STATUS.WRONG_LENGTH);
  await initialize(tester, { p1: 2 }, STATUS.UNKNOWN_KEY);
}

/** What follows an INITIALIZE UPDATE. @param change of the host cryptogram, before its C-MAC is made. */
async function halfOpen(tester: Tester, change = (_cryptogram: Uint8Array): void => {}, challenge = CHALLENGE) {
  const answer = await initialize(tester, { data: challenge });
  const cardChallenge = answer.slice(13, 21);
  const keys = deriveSessionKeys(TEST_KEY_SET, challenge, cardChallenge);
  const cryptogram = deriveHostCryptogram(keys, challenge, cardChallenge);
  change(cryptogram);
  const session = new Scp03Session(keys, 0x13);
  return { session, command: session.sealAuthentication(cryptogram) };
}

async function authentication(tester: Tester, change?: (cryptogram: Uint8Array) => void): Promise<CommandApdu> {
  return (await halfOpen(tester, change)).command;
}

/** EXTERNAL AUTHENTICATE that is refused before anything of it is looked at. */
async function refusedAuthentications(tester: Tester, right: CommandApdu): Promise<void> {
  await tester.command({ ...right, p1: 0x02 }, STATUS.WRONG_PARAMETERS);
  await tester.command({ ...right, p2: 1 }, STATUS.WRONG_PARAMETERS);
  await tester.command({ ...right, data: right.data!.subarray(1) }, STATUS.WRONG_LENGTH);
  await tester.command({ ...right, cla: 0x80 }, STATUS.UNKNOWN_CLASS);
}

export const authenticationCases: readonly Case[] = [
  {
    name: 'a wrong cryptogram is 6300, a wrong C-MAC 6988; either forgets the session keys',
    from: 'active',
    async run(tester) {
      const right = await authentication(tester);
      await tester.command(right);
      // The channel is open; a second time is one too many.
      await tester.command(right, STATUS.NOT_NOW);
      for (let at = 0; at < 8; at++) {
        const wrong = await authentication(tester, (cryptogram) => (cryptogram[at]! ^= 1));
        await tester.command(wrong, 0x6300);
        await tester.command(wrong, STATUS.NOT_NOW);
      }
      for (let at = 8; at < 16; at++) {
        const good = await authentication(tester);
        const data = good.data!.slice();
        data[at]! ^= 1;
        await tester.raw(encodeCommand({ ...good, data }), STATUS.CRYPTO);
        await tester.command(good, STATUS.NOT_NOW);
      }
      // The C-MAC is looked at first.
      const both = await authentication(tester, (cryptogram) => (cryptogram[0]! ^= 1));
      await tester.command({ ...both, data: both.data!.with(15, both.data![15]! ^ 1) }, STATUS.CRYPTO);
      // What failed did not count.
      await tester.command(await authentication(tester));
    },
  },
  {
    name: 'a refused INITIALIZE UPDATE leaves the channel, open or half open; an answered one ends it',
    from: 'active',
    async run(tester) {
      const { session, command } = await halfOpen(tester);
      await refusedUpdates(tester);
      await tester.command(command);
      await refusedUpdates(tester);
      await tester.command(session.wrap(GET_PURSE).command);
      const older = await authentication(tester);
      await tester.command(session.wrap(GET_PURSE).command, STATUS.NOT_NOW);
      const newer = await halfOpen(tester, undefined, OTHER_CHALLENGE);
      await tester.command(older, STATUS.CRYPTO);
      await tester.command(newer.command, STATUS.NOT_NOW);
      const last = await halfOpen(tester, undefined, OTHER_CHALLENGE);
      await tester.command(last.command);
      await tester.command(last.session.wrap(GET_PURSE).command);
    },
  },
  {
    name: 'what is refused before its C-MAC, and other commands in between, keep the session keys and an open channel',
    from: 'active',
    async run(tester) {
      const { session, command } = await halfOpen(tester);
      await refusedAuthentications(tester, command);
      await tester.purse();
      await tester.raw(fromHex('8440000008 0000000000000000'), STATUS.NOT_NOW);
      await tester.raw(fromHex('84400000'), STATUS.NOT_NOW);
      await tester.command(command);
      await refusedAuthentications(tester, command);
      await tester.command(command, STATUS.NOT_NOW);
      await tester.command(session.wrap(GET_PURSE).command);
    },
  },
  {
    name: 'SELECT or a reset between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE: 6985',
    from: 'active',
    async run(tester) {
      let right = await authentication(tester);
      await tester.select();
      await tester.command(right, STATUS.NOT_NOW);
      right = await authentication(tester);
      await tester.reset();
      await tester.select();
      await tester.command(right, STATUS.NOT_NOW);
      // That of another application ends nothing.
      right = await authentication(tester);
      await tester.command(
        { cla: 0, ins: 0xa4, p1: 4, p2: 0, data: fromHex('A000000003000000'), le: 256 },
        STATUS.NOT_FOUND,
      );
      await tester.command(right);
    },
  },
];
