import { describe, expect, test } from 'vitest';
import { encodeCommand } from '../../../../apdu/iso7816/command-apdu.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';
import {
  decodePutKey,
  encodePutKey,
  computeCheckValue,
  putKey,
  PUT_KEY_LENGTH,
} from '../../../../apdu/secure-channel/put-key.ts';
import type { ChannelKeySet } from '../../../../apdu/secure-channel/scp03-keys.ts';
import { openSecureChannel } from '../../../../apdu/secure-channel/secure-channel.ts';
import { ChannelCard, ECHO } from '../../../support/cards/channel-card.ts';

function keys(version: number, first: number): ChannelKeySet {
  const [enc, mac, dek] = [0, 1, 2].map((index) => new Uint8Array(16).fill(first + index));
  return { version, enc: enc!, mac: mac!, dek: dek! };
}

const PRESENT = keys(1, 0x31);
const NEXT = keys(2, 0x51);
const ECHO_ONE = fromHex('8010000001AA00');

test('the check value of a key is AES of sixteen 01 octets', () => {
  // openssl enc -aes-128-ecb -nopad -K 404142...4f of 0101..01
  expect(toHex(computeCheckValue(fromHex('404142434445464748494a4b4c4d4e4f')))).toBe('504a77');
});

test('PUT KEY is read as it was written; a change of any octet but the version is refused', () => {
  const data = encodePutKey(NEXT, PRESENT.dek);
  expect(data).toHaveLength(PUT_KEY_LENGTH);
  expect(decodePutKey(data, PRESENT.dek)).toEqual(NEXT);
  expect(decodePutKey(data, NEXT.dek)).toBeUndefined();
  expect(toHex(data)).not.toContain(toHex(NEXT.enc));
  for (let at = 1; at < data.length; at++) {
    const changed = data.slice();
    changed[at]! ^= 1;
    expect(decodePutKey(changed, PRESENT.dek), `octet ${at}`).toBeUndefined();
  }
  for (const version of [0, 0x80, 0xff]) {
    expect(decodePutKey(data.with(0, version), PRESENT.dek)).toBeUndefined();
  }
  expect(decodePutKey(data.subarray(1), PRESENT.dek)).toBeUndefined();
});

describe('replacing the key set', () => {
  test('keeps the channel and the counter, and the next channel needs the new keys', async () => {
    const card = new ChannelCard(PRESENT);
    const channel = await openSecureChannel(card, PRESENT, { level: 0x13 });
    await putKey(channel, PRESENT, NEXT);
    expect(card.keys).toEqual(NEXT);
    expect(toHex(await channel.transmit(ECHO_ONE))).toBe('aa9000');
    await expect(openSecureChannel(card, PRESENT)).rejects.toMatchObject({ code: 'NO_KEY_SET' });
    await expect(openSecureChannel(card, { ...PRESENT, version: 2 })).rejects.toMatchObject({ code: 'WRONG_KEYS' });
    const again = await openSecureChannel(card, NEXT);
    expect(again.sequenceCounter).toBe(1);
    await putKey(again, NEXT, PRESENT);
    expect(card.keys).toEqual(PRESENT);
  });

  test.each([0x01, 0x11] as const)('is refused at level %i and without a channel', async (level) => {
    const card = new ChannelCard(PRESENT);
    const channel = await openSecureChannel(card, PRESENT, { level });
    await expect(putKey(channel, PRESENT, NEXT)).rejects.toMatchObject({ code: 'SW_6982' });
    const data = encodePutKey(NEXT, PRESENT.dek);
    const plain = encodeCommand({ cla: 0x80, ins: 0xd8, p1: 1, p2: 0x81, data });
    expect(toHex(await card.transmit(plain))).toBe('6982');
    expect(card.keys).toBe(PRESENT);
  });

  test('changes nothing when it is refused, and the channel goes on', async () => {
    const card = new ChannelCard(PRESENT);
    const channel = await openSecureChannel(card, PRESENT, { level: 0x03 });
    const data = encodePutKey(NEXT, PRESENT.dek);
    const put = async (p1: number, p2: number, sent: Uint8Array) =>
      toHex(await channel.transmit(encodeCommand({ cla: 0x80, ins: 0xd8, p1, p2, data: sent, le: 256 })));
    expect(await put(1, 0x01, data)).toBe('6a86');
    expect(await put(1, 0x81, data.subarray(1))).toBe('6700');
    expect(await put(2, 0x81, data)).toBe('6a88');
    for (const at of [0, 1, 2, 3, 4, 19, 20, 21, 22, 23, 24, 46, 47, 69]) {
      const changed = data.slice();
      changed[at]! ^= 0x80;
      expect(await put(1, 0x81, changed), `octet ${at}`).toBe('6a80');
    }
    expect(card.keys).toBe(PRESENT);
    expect(toHex(await channel.transmit(encodeCommand({ cla: 0x80, ins: ECHO, p1: 0, p2: 0, le: 256 })))).toBe('9000');
    expect(await put(0, 0x81, data)).toMatch(/9000$/);
    expect(card.keys).toEqual(NEXT);
  });

  test('refuses a confirmation of other keys and a key set that does not fit', async () => {
    const card = new ChannelCard(PRESENT);
    const channel = await openSecureChannel(card, PRESENT, { level: 0x03 });
    await expect(putKey(channel, PRESENT, { ...NEXT, version: 0 })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    card.onAnswer = (answer) => answer.with(4, answer[4]! ^ 1);
    await expect(putKey(channel, PRESENT, NEXT)).rejects.toMatchObject({ code: 'FORMAT' });
  });
});
