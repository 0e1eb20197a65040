import { expect } from 'vitest';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { LIFE } from '../../../../apdu/decode-module/select-answer.ts';
import { encodePutKey } from '../../../../apdu/secure-channel/put-key.ts';
import type { ChannelKeySet } from '../../../../apdu/secure-channel/scp03-keys.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import { makeFixedKey, KEYS, PROFILE } from '../../messages/messages.ts';
import type { Case } from '../../tester.ts';

const OWN: ChannelKeySet = {
  version: 0x10,
  enc: makeFixedKey('enc'),
  mac: makeFixedKey('mac'),
  dek: makeFixedKey('dek'),
};
const NEXT: ChannelKeySet = {
  version: 0x7f,
  enc: makeFixedKey('enc 2'),
  mac: makeFixedKey('mac 2'),
  dek: makeFixedKey('dek 2'),
};

export const putKeyCases: readonly Case[] = [
  {
    name: 'PUT KEY: the old set is gone, the channel goes on; a wrong check value changes nothing',
    from: 'blank',
    async run(tester) {
      const data = encodePutKey(OWN, TEST_KEY_SET.dek);
      await tester.inside(INS.PUT_KEY, 2, 0x81, data, STATUS.UNKNOWN_KEY);
      await tester.inside(INS.PUT_KEY, 1, 0x81, data.with(69, data[69]! ^ 1), STATUS.BAD_FIELD);
      await tester.inside(INS.PUT_KEY, 1, 0x81, data.with(0, 0), STATUS.BAD_FIELD);
      await tester.inside(INS.PUT_KEY, 1, 0x81, data.subarray(1), STATUS.WRONG_LENGTH);
      await tester.inside(INS.PUT_KEY, 1, 0x81, data);
      await tester.storeData(0x0001, PROFILE, false);
      await tester.select();
      await expect(tester.secure(0x13)).rejects.toMatchObject({ code: 'NO_KEY_SET' });
      await tester.secure(0x13, OWN);
      await tester.storeData(0x8001, KEYS, true);
      await tester.reset();
      await tester.select();
      await tester.secure(0x01, OWN);
      await tester.setStatus(LIFE.active);
    },
  },
  {
    name: 'a second PUT KEY in one channel is under the new DEK and names the new version; the counter goes on',
    from: 'blank',
    async run(tester) {
      const counter = (await tester.secure(0x13)).sequenceCounter;
      await tester.inside(INS.PUT_KEY, 0, 0x81, encodePutKey(OWN, TEST_KEY_SET.dek));
      await tester.inside(INS.PUT_KEY, 0, 0x81, encodePutKey(NEXT, TEST_KEY_SET.dek), STATUS.BAD_FIELD);
      await tester.inside(INS.PUT_KEY, TEST_KEY_SET.version, 0x81, encodePutKey(NEXT, OWN.dek), STATUS.UNKNOWN_KEY);
      await tester.inside(INS.PUT_KEY, OWN.version, 0x81, encodePutKey(NEXT, OWN.dek));
      await expect(tester.secure(0x13, OWN)).rejects.toMatchObject({ code: 'NO_KEY_SET' });
      expect((await tester.secure(0x13, NEXT)).sequenceCounter).toBe(counter + 1);
    },
  },
  {
    name: 'PUT KEY: P2 before the length before the version before the fields',
    from: 'active',
    async run(tester) {
      const data = encodePutKey(OWN, TEST_KEY_SET.dek);
      const bad = data.with(69, data[69]! ^ 1);
      await tester.inside(INS.PUT_KEY, 2, 0x80, bad.subarray(1), STATUS.WRONG_PARAMETERS);
      await tester.inside(INS.PUT_KEY, 2, 0x81, bad.subarray(1), STATUS.WRONG_LENGTH);
      await tester.inside(INS.PUT_KEY, 2, 0x81, bad, STATUS.UNKNOWN_KEY);
      await tester.inside(INS.PUT_KEY, 0, 0x81, bad, STATUS.BAD_FIELD);
      // One octet of each field in turn.
      for (const at of [0, 1, 2, 3, 4, 20, 21, 24, 25, 26, 27, 46, 47, 48, 49, 50, 66]) {
        await tester.inside(INS.PUT_KEY, 0, 0x81, data.with(at, data[at]! ^ 0x80), STATUS.BAD_FIELD);
      }
      await tester.inside(INS.PUT_KEY, 0, 0x81, data);
    },
  },
];
