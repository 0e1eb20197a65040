import { expect, test } from 'vitest';
import { CardGoneError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { SoftCard } from '../../../card-sim/soft/soft-card.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';

/** SELECT of no application, which the card refuses with 6A82. */
const select = fromHex('00a4040000');

test('opening is a reset, closing switches it off', async () => {
  const card = new SoftCard();
  const channel = new SoftChannel(card);
  expect(channel.atr).toEqual(fromHex('3b80800101'));
  expect(toHex(await channel.transmit(select))).toBe('6a82');
  await channel.close();
  await channel.close();
  await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
  expect(() => card.transmit(select)).toThrow(CardGoneError);
  expect(toHex(await new SoftChannel(card).transmit(select))).toBe('6a82');
});

test('a power cut is a rejection, and the channel is over', async () => {
  const card = new SoftCard();
  let cuts = 0;
  const channel = new SoftChannel(card, { onPowerLoss: () => cuts++ });
  card.cut(0);
  await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
  await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
  expect(cuts).toBe(1);
});

test('a card that was pulled is not reached, and a channel that is over does not switch off the next', async () => {
  const card = new SoftCard();
  const first = new SoftChannel(card);
  first.pull();
  await expect(first.transmit(select)).rejects.toThrow(CardGoneError);
  const second = new SoftChannel(card);
  await first.close();
  expect(toHex(await second.transmit(select))).toBe('6a82');
});
