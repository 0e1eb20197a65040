import { INS } from '../../../apdu/decode-module/instruction.ts';
import { type CommandApdu, encodeCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { deriveHostCryptogram, deriveSessionKeys } from '../../../apdu/secure-channel/scp03-keys.ts';
import { Scp03Session } from '../../../apdu/secure-channel/scp03-session.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import type { Case, Tester } from '../tester.ts';

const CHALLENGE = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1);

/** EXTERNAL AUTHENTICATE behind an INITIALIZE UPDATE. @param change of the host cryptogram, before its C-MAC is made. */
async function authentication(tester: Tester, change: (cryptogram: Uint8Array) => void): Promise<CommandApdu> {
  const update = { cla: 0x80, ins: INS.INITIALIZE_UPDATE, p1: 0, p2: 0, data: CHALLENGE, le: 256 };
  const answer = await tester.command(update);
  const cardChallenge = answer.slice(13, 21);
  const keys = deriveSessionKeys(TEST_KEY_SET, CHALLENGE, cardChallenge);
  const cryptogram = deriveHostCryptogram(keys, CHALLENGE, cardChallenge);
  change(cryptogram);
  return new Scp03Session(keys, 0x13).authentication(cryptogram);
}

export const authenticationCases: readonly Case[] = [
  {
    name: 'a wrong cryptogram is 6300, a wrong C-MAC 6988; either forgets the session keys',
    from: 'active',
    async run(tester) {
      const right = await authentication(tester, () => {});
      await tester.command(right);
      // The channel is open; a second time is one too many.
      await tester.command(right, 0x6985);
      for (let at = 0; at < 8; at++) {
        const wrong = await authentication(tester, (cryptogram) => (cryptogram[at]! ^= 1));
        await tester.command(wrong, 0x6300);
        await tester.command(wrong, 0x6985);
      }
      for (let at = 8; at < 16; at++) {
        const good = await authentication(tester, () => {});
        const data = good.data!.slice();
        data[at]! ^= 1;
        await tester.raw(encodeCommand({ ...good, data }), 0x6988);
        await tester.command(good, 0x6985);
      }
      // What failed did not count.
      await tester.command(await authentication(tester, () => {}));
    },
  },
];
