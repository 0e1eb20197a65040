import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCommand } from '../../../../apdu/iso7816/command-apdu.ts';
import { statusOf } from '../../../../apdu/iso7816/response-apdu.ts';
import { concat, fromHex, toHex } from '../../../../apdu/octets.ts';
import { type ChannelKeySet, deriveSessionKeys, MAX_COUNTER } from '../../../../apdu/secure-channel/scp03-keys.ts';
import { openSecureChannel, type SecureChannel } from '../../../../apdu/secure-channel/secure-channel.ts';
import { chainCommand, decipher, encipher, FIRST_CHAINING } from '../../../../apdu/secure-channel/secure-messaging.ts';
import { C_ENC, R_MAC, SECURITY_LEVELS, type SecurityLevel } from '../../../../apdu/secure-channel/security-level.ts';
import { ChannelCard, ECHO, FAIL, LEVEL, WARN } from '../../../support/cards/channel-card.ts';

const KEYS: ChannelKeySet = {
  version: 3,
  enc: fromHex('c0c1c2c3c4c5c6c7c8c9cacbcccdcecf'),
  mac: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
  dek: fromHex('e0e1e2e3e4e5e6e7e8e9eaebecedeeef'),
};
const HOST_CHALLENGE = fromHex('0001020304050607');
const SELECT = fromHex('00A404000AF0544F4C4C434153540100');

function command(ins: number, data: Uint8Array, le: number | undefined = 256): Uint8Array {
  return encodeCommand({ cla: 0x80, ins, p1: 0, p2: 0, data, le });
}

function octets(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 7 + length);
}

async function open(level: SecurityLevel, card = new ChannelCard(KEYS)): Promise<[SecureChannel, ChannelCard]> {
  return [await openSecureChannel(card, KEYS, { level, hostChallenge: HOST_CHALLENGE }), card];
}

async function echo(channel: SecureChannel, length: number): Promise<string> {
  return toHex(await channel.transmit(command(ECHO, octets(length))));
}

describe.each(SECURITY_LEVELS)('level %i', (level) => {
  const most = (level & C_ENC) === 0 ? 247 : 239;

  test('data of every length goes there and back', async () => {
    const [channel, card] = await open(level);
    for (let length = 0; length <= most; length++) {
      expect(await echo(channel, length)).toBe(`${toHex(octets(length))}9000`);
      const last = card.sent.at(-1)!;
      expect(last[0]).toBe(0x84);
      const hidden = !toHex(last).includes(toHex(octets(length)));
      if (length >= 8) expect(hidden).toBe((level & C_ENC) !== 0);
      expect(card.answered.at(-1)).toHaveLength(length + 2 + ((level & R_MAC) === 0 ? 0 : 8));
    }
    expect(channel.level).toBe(level);
    expect(toHex(await channel.transmit(command(LEVEL, octets(0))))).toBe(`${toHex(Uint8Array.of(level))}9000`);
  });

  test('data that is too long is refused and leaves the channel as it was', async () => {
    const [channel, card] = await open(level);
    const before = card.sent.length;
    await expect(channel.transmit(command(ECHO, octets(most + 1)))).rejects.toThrow(`0 to ${most} octets`);
    await expect(channel.transmit(command(ECHO, octets(3), 300))).rejects.toThrow(/short Le/);
    await expect(channel.transmit(fromHex('8050030008000102030405060700'))).rejects.toThrow(/channel below/);
    expect(card.sent.length).toBe(before);
    expect(await echo(channel, 5)).toBe(`${toHex(octets(5))}9000`);
  });

  test('warnings bring data, errors do not, and the channel goes on', async () => {
    const [channel] = await open(level);
    expect(toHex(await channel.transmit(command(WARN, octets(9))))).toBe(`${toHex(octets(9))}63c2`);
    expect(toHex(await channel.transmit(command(FAIL, octets(9))))).toBe('6a80');
    expect(toHex(await channel.transmit(command(0x77, octets(9))))).toBe('6d00');
    expect(await echo(channel, 4)).toBe(`${toHex(octets(4))}9000`);
  });

  test('commands sent together keep their order', async () => {
    const [channel] = await open(level);
    const answers = await Promise.all([0, 1, 20, 3].map((length) => echo(channel, length)));
    expect(answers).toEqual([0, 1, 20, 3].map((length) => `${toHex(octets(length))}9000`));
  });

  test('a command with any octet flipped gets CRYPTO, and the channel is closed', async () => {
    const length = 20;
    const [probe, model] = await open(level);
    await echo(probe, length);
    const size = model.sent.at(-1)!.length - 1; // Le is under no MAC
    for (let at = 1; at < size; at++) {
      if (at === 4) continue; // Lc: the length itself would be wrong
      const [channel, card] = await open(level);
      card.onCommand = (octetsSent) => flip(octetsSent, at);
      // 82 is EXTERNAL AUTHENTICATE, 50 INITIALIZE UPDATE; neither is one bit from ECHO.
      expect(await echo(channel, length), `octet ${at}`).toBe('6988');
      card.onCommand = (octetsSent) => octetsSent;
      expect(await echo(channel, length)).toBe('6985');
      expect(await echo(channel, 0)).toBe('6985');
    }
  });

  test('a command shorter than its C-MAC gets CRYPTO, and the channel is closed', async () => {
    for (let length = 0; length < 8; length++) {
      const [channel, card] = await open(level);
      const short = encodeCommand({ cla: 0x84, ins: ECHO, p1: 0, p2: 0, data: octets(length) });
      expect(toHex(await card.transmit(short))).toBe('6988');
      expect(await echo(channel, 1)).toBe('6985');
    }
  });

  test('a command sent again, out of order, or of another session gets CRYPTO', async () => {
    const [first, card] = await open(level);
    await echo(first, 10);
    const recorded = card.sent.at(-1)!;
    expect(toHex(await card.transmit(recorded))).toBe('6988');
    await open(level, card);
    expect(toHex(await card.transmit(recorded))).toBe('6988');
    const [third] = await open(level, card);
    card.onCommand = () => recorded;
    expect(await echo(third, 10)).toBe('6988');
  });

  test('a plain command beside the channel has no rights and disturbs nothing', async () => {
    const [channel, card] = await open(level);
    await echo(channel, 1);
    expect(toHex(await card.transmit(command(LEVEL, octets(0))))).toBe('009000');
    expect(toHex(await card.transmit(command(ECHO, octets(3))))).toBe(`${toHex(octets(3))}9000`);
    expect(await echo(channel, 2)).toBe(`${toHex(octets(2))}9000`);
  });

  test('a command whose answer would not be authentic does not go through it', async () => {
    const [channel, card] = await open(level);
    const before = card.answered.length;
    for (const plain of ['00C0000000', '84AA000000', '90AA000000']) {
      await expect(channel.transmit(fromHex(plain))).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    }
    expect(card.answered).toHaveLength(before);
    expect(await echo(channel, 2)).toBe(`${toHex(octets(2))}9000`);
  });

  test('SELECT and reset end the channel', async () => {
    const [channel, card] = await open(level);
    await card.transmit(SELECT);
    expect(await echo(channel, 1)).toBe('6985');
    const [second] = await open(level, card);
    card.reset();
    expect(await echo(second, 1)).toBe('6985');
    const [third] = await open(level, card);
    expect(toHex(await third.transmit(SELECT))).toBe('9000');
    await expect(echo(third, 1)).rejects.toMatchObject({ code: 'CHANNEL_ENDED' });
  });

  test('any sequence of commands is answered as without a channel', async () => {
    const step = fc.record({
      ins: fc.constantFrom(ECHO, WARN, FAIL, LEVEL),
      p1: fc.nat(255),
      p2: fc.nat(255),
      data: fc.uint8Array({ maxLength: most }),
      le: fc.constantFrom(undefined, 1, 256),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const [channel, card] = await open(level);
        for (const plain of steps) {
          const answer = toHex(await channel.transmit(encodeCommand({ cla: 0x80, ...plain })));
          const direct = toHex(card.answer({ cla: 0x80, ...plain }));
          expect(answer).toBe(plain.ins === LEVEL ? `${toHex(Uint8Array.of(level))}9000` : direct);
        }
      }),
      { numRuns: 60 },
    );
  });
});

function flip(command_: Uint8Array, at: number): Uint8Array {
  command_[at]! ^= 0x01;
  return command_;
}

describe('R-MAC', () => {
  test.each([0x11, 0x13] as const)(
    'level %i: an answer with any octet flipped, cut or taken away is refused',
    async (level) => {
      for (let at = 0; at < 5 + 8 + 2; at++) {
        const [channel, card] = await open(level);
        card.onAnswer = (answer) => flip(answer, at);
        const answer = echo(channel, 5);
        if (at < 13) {
          await expect(answer, `octet ${at}`).rejects.toMatchObject({ code: 'FORGED_ANSWER' });
          await expect(echo(channel, 5)).rejects.toMatchObject({ code: 'CHANNEL_ENDED' });
        } else if (at === 13) {
          expect(await answer).toBe('9100'); // an error, and no more than the status word of it
        } else {
          expect(await answer).toBe('9001');
        }
      }
      for (const cut of ['9000', '009000', '00000000000000009000', '6300']) {
        const [channel, card] = await open(level);
        card.onAnswer = () => fromHex(cut);
        await expect(echo(channel, 5)).rejects.toMatchObject({ code: 'FORGED_ANSWER' });
      }
    },
  );

  test.each(['6100', '6110', '6C00', '000000000000000000006105'])(
    '%s makes nobody ask again outside the channel',
    async (answer) => {
      const [channel, card] = await open(0x13);
      card.onAnswer = () => fromHex(answer);
      await expect(echo(channel, 5)).rejects.toMatchObject({ code: 'FORGED_ANSWER' });
      await expect(channel.transmit(fromHex('00C0000000'))).rejects.toMatchObject({ code: 'CHANNEL_ENDED' });
    },
  );

  test('an answer to another command is refused', async () => {
    const [channel, card] = await open(0x11);
    await echo(channel, 5);
    const recorded = card.answered.at(-1)!;
    card.onAnswer = () => recorded;
    await expect(echo(channel, 5)).rejects.toMatchObject({ code: 'FORGED_ANSWER' });
  });
});

describe('C-ENC', () => {
  const enc = deriveSessionKeys(KEYS, HOST_CHALLENGE, HOST_CHALLENGE).enc;

  test('padding other than 80 00... is refused', () => {
    const whole = encipher(enc, 1, octets(16));
    expect(toHex(decipher(enc, 1, whole)!)).toBe(toHex(octets(16)));
    expect(decipher(enc, 1, whole.subarray(0, 16))).toBeUndefined();
    expect(decipher(enc, 1, whole.subarray(0, 31))).toBeUndefined();
    expect(decipher(enc, 1, octets(0))).toBeUndefined();
    expect(toHex(decipher(enc, 2, whole) ?? octets(0))).not.toBe(toHex(octets(16)));
    expect(toHex(encipher(enc, 2, octets(16)))).not.toBe(toHex(whole));
  });

  test.each([0x03, 0x13] as const)(
    'level %i: wrong padding under a right C-MAC gets CRYPTO and ends the channel',
    async (level) => {
      // Data of a level without C-ENC under the keys of one with it.
      for (const length of [1, 15, 16, 17, 32]) {
        const [channel, card] = await open(level);
        const challenge = card.answered[0]!.subarray(13, 21);
        const { mac } = deriveSessionKeys(KEYS, HOST_CHALLENGE, challenge);
        const authentication = card.sent[1]!;
        const header = { ins: 0x82, p1: level, p2: 0 };
        const first = chainCommand(mac, FIRST_CHAINING, header, authentication.subarray(5, 13));
        const data = octets(length);
        const chaining = chainCommand(mac, first, { ins: ECHO, p1: 0, p2: 0 }, data);
        const sealed = concat(data, chaining.subarray(0, 8));
        expect(toHex(await card.transmit(encodeCommand({ cla: 0x84, ins: ECHO, p1: 0, p2: 0, data: sealed })))).toBe(
          '6988',
        );
        expect(await echo(channel, 1)).toBe('6985');
      }
    },
  );
});

describe('opening a channel', () => {
  test('fails when the card holds other keys', async () => {
    for (const part of ['enc', 'mac'] as const) {
      const card = new ChannelCard({ ...KEYS, [part]: octets(16) });
      const opening = open(0x13, card);
      if (part === 'mac') {
        await expect(opening).rejects.toThrow(/this card does not hold these keys of version 3; check/);
        expect(card.sent).toHaveLength(1);
        expect(card.counter).toBe(0);
      } else {
        // ENC is proved by the first enciphered command.
        const [channel] = await opening;
        expect(await echo(channel, 20)).toBe('6988');
      }
    }
  });

  test('fails when any octet of challenge or cryptogram changed on its way', async () => {
    for (let at = 13; at < 29; at++) {
      const card = new ChannelCard(KEYS);
      card.onAnswer = (answer) => flip(answer, at);
      await expect(open(0x01, card)).rejects.toMatchObject({ code: 'WRONG_KEYS' });
    }
    for (let at = 5; at < 13; at++) {
      const card = new ChannelCard(KEYS);
      card.onCommand = (sent) => flip(sent, at);
      await expect(open(0x01, card)).rejects.toMatchObject({ code: 'WRONG_KEYS' });
    }
  });

  test('EXTERNAL AUTHENTICATE with any octet flipped gets CRYPTO: the keys are forgotten, the counter stays', async () => {
    for (let at = 5; at < 21; at++) {
      const card = new ChannelCard(KEYS);
      card.onCommand = (sent) => (sent[1] === 0x82 ? flip(sent, at) : sent);
      await expect(open(0x01, card)).rejects.toMatchObject({ code: 'WRONG_KEYS' });
      expect(toHex(card.answered[1]!)).toBe('6988');
      card.onCommand = (sent) => sent;
      // The right one comes too late.
      expect(toHex(await card.transmit(flip(card.sent[1]!.slice(), at)))).toBe('6985');
      expect(card.counter).toBe(0);
    }
  });

  test('EXTERNAL AUTHENTICATE with a right C-MAC over a wrong cryptogram gets WRONG_CRYPTOGRAM', async () => {
    const card = new ChannelCard(KEYS);
    card.onCommand = (sent) => {
      if (sent[1] !== 0x82) return sent;
      const { mac } = deriveSessionKeys(KEYS, HOST_CHALLENGE, card.answered[0]!.subarray(13, 21));
      const cryptogram = octets(8);
      const chaining = chainCommand(mac, FIRST_CHAINING, { ins: 0x82, p1: sent[2]!, p2: 0 }, cryptogram);
      return concat(sent.subarray(0, 5), cryptogram, chaining.subarray(0, 8));
    };
    await expect(open(0x01, card)).rejects.toMatchObject({ code: 'WRONG_KEYS' });
    expect(toHex(card.answered[1]!)).toBe('6300');
    expect(card.counter).toBe(0);
    card.onCommand = (sent) => sent;
    expect(toHex(await card.transmit(card.sent[1]!))).toBe('6985');
  });

  test('P1 P2, length and state are checked in this order', async () => {
    const card = new ChannelCard(KEYS);
    const say = async (text: string) => toHex(await card.transmit(fromHex(text)));
    expect(await say('80500001080001020304050607')).toBe('6a86');
    expect(await say('8050040107000102030405 06')).toBe('6a86');
    expect(await say('8050040007000102030405 06')).toBe('6700');
    expect(await say('80500400')).toBe('6700');
    card.alive = false;
    expect(await say('80500400080001020304050607')).toBe('6985');
    card.alive = true;
    expect(await say('80500400080001020304050607')).toBe('6a88');
    expect(await say('8482010010000102030405060708090a0b0c0d0e0f')).toBe('6985');
    expect(await say('8410000008 0000000000000000')).toBe('6985');
    await say('80500000080001020304050607');
    for (const level of ['00', '02', '10', '12', '33', '04', '81']) {
      expect(await say(`8482${level}0010000102030405060708090a0b0c0d0e0f`)).toBe('6a86');
    }
    expect(await say('8482010110000102030405060708090a0b0c0d0e0f')).toBe('6a86');
    expect(await say('848201000f000102030405060708090a0b0c0d0e')).toBe('6700');
    // Not an open channel yet.
    expect(await say('8410000008 0000000000000000')).toBe('6985');
    expect(await say('8482010010000102030405060708090a0b0c0d0e0f')).toBe('6988');
    expect(await say('8482010010000102030405060708090a0b0c0d0e0f')).toBe('6985');
  });

  test('version 00 means the present key set; another version is unknown', async () => {
    const card = new ChannelCard(KEYS);
    const any = await card.transmit(fromHex('80500000080001020304050607'));
    expect(any).toHaveLength(34);
    expect(toHex(await card.transmit(fromHex('80500300080001020304050607')))).toBe(toHex(any));
    const other = openSecureChannel(card, { ...KEYS, version: 4 });
    await expect(other).rejects.toMatchObject({ code: 'NO_KEY_SET' });
  });

  test('INITIALIZE UPDATE ends an open channel when it succeeds, not when it is refused', async () => {
    const [channel, card] = await open(0x11);
    await card.transmit(fromHex('80500400080001020304050607'));
    expect(await echo(channel, 1)).toMatch(/9000$/);
    await card.transmit(fromHex('80500000080001020304050607'));
    expect(await echo(channel, 1)).toBe('6985');
  });

  test('the counter rises with each channel, every challenge is new, and none opens after FFFFFF', async () => {
    const card = new ChannelCard(KEYS);
    const challenges = new Set<string>();
    for (let session = 0; session < 5; session++) {
      const [channel] = await open(0x01, card);
      expect(channel.sequenceCounter).toBe(session);
      challenges.add(toHex(card.answered.at(-2)!.subarray(13, 21)));
    }
    expect(challenges.size).toBe(5);
    card.counter = MAX_COUNTER - 1;
    await open(0x01, card);
    expect(card.counter).toBe(MAX_COUNTER);
    await expect(open(0x01, card)).rejects.toMatchObject({ code: 'SW_6985' });
    // Another key set is told before.
    expect(statusOf(await card.transmit(fromHex('80500200080001020304050607')))).toBe(0x6a88);
  });

  test('a recorded session opens nothing', async () => {
    const [channel, card] = await open(0x13);
    await echo(channel, 20);
    const [initialize, authenticate, wrapped] = card.sent;
    await card.transmit(initialize!);
    expect(statusOf(await card.transmit(authenticate!))).toBe(0x6988);
    expect(statusOf(await card.transmit(wrapped!))).toBe(0x6985);
  });

  test('a card with another protocol, without R-MAC, or with an unreadable answer is refused', async () => {
    const broken = async (change: (answer: Uint8Array) => Uint8Array, level: SecurityLevel = 0x13) => {
      const card = new ChannelCard(KEYS);
      card.onAnswer = (answer) => (answer.length > 2 ? change(answer) : answer);
      return open(level, card);
    };
    const at = (index: number, value: number) => (answer: Uint8Array) => answer.fill(value, index, index + 1);
    await expect(broken(at(11, 0x02))).rejects.toMatchObject({ code: 'NO_SCP03' });
    await expect(broken(at(12, 0x10))).rejects.toMatchObject({ code: 'NO_SCP03' });
    await expect(broken(at(12, 0x10), 0x03)).resolves.toBeDefined();
    await expect(broken(at(10, 0x04))).rejects.toMatchObject({ code: 'FORMAT' });
    await expect(broken((answer) => concat(answer.subarray(0, 31), fromHex('9000')))).rejects.toMatchObject({
      code: 'FORMAT',
    });
    await expect(broken(() => fromHex('009000'))).rejects.toMatchObject({ code: 'FORMAT' });
  });

  test('a key set or challenge that does not fit is refused', async () => {
    const card = new ChannelCard(KEYS);
    for (const wrong of [
      { version: 0 },
      { version: 128 },
      { enc: octets(15) },
      { mac: octets(0) },
      { dek: octets(32) },
    ]) {
      await expect(openSecureChannel(card, { ...KEYS, ...wrong })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    }
    await expect(openSecureChannel(card, KEYS, { hostChallenge: octets(16) })).rejects.toMatchObject({
      code: 'OUT_OF_RANGE',
    });
    expect(card.sent).toHaveLength(0);
  });

  test('host challenges are random, and the highest level is the default', async () => {
    const card = new ChannelCard(KEYS);
    const first = await openSecureChannel(card, KEYS);
    await openSecureChannel(card, KEYS);
    expect(first.level).toBe(0x13);
    expect(toHex(card.sent[0]!.subarray(5, 13))).not.toBe(toHex(card.sent[2]!.subarray(5, 13)));
  });

  test('the loss of the card ends the channel', async () => {
    const [channel, card] = await open(0x01);
    card.onCommand = () => {
      throw new Error('gone');
    };
    await expect(echo(channel, 1)).rejects.toThrow('gone');
    card.onCommand = (sent) => sent;
    await expect(echo(channel, 1)).rejects.toMatchObject({ code: 'CHANNEL_ENDED' });
    await channel.close();
    await channel.close();
  });
});
