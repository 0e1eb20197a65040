import { expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { TimeLimitedChannel, type TimeLimitOptions } from '../../../host/transport/card/time-limit.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const COMMAND = fromHex('00a4040000');
const DONE = fromHex('9000');

/** A card that answers when the test says so. */
class PatientCard implements CardChannel {
  readonly atr = new Uint8Array();
  readonly waiting: ((answer: Uint8Array) => void)[] = [];
  closed = 0;

  transmit(): Promise<Uint8Array> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

function open(options: Partial<TimeLimitOptions> = {}) {
  const clock = new SimulatedClock();
  const card = new PatientCard();
  const told: string[] = [];
  const channel = new TimeLimitedChannel(card, {
    clock,
    limit: 10_000,
    slowAfter: 2_000,
    onSlow: () => told.push('slow'),
    onAnswer: () => told.push('answered'),
    ...options,
  });
  return { clock, card, channel, told };
}

test('a command that is answered in time goes through, and its channel stays open', async () => {
  const { clock, card, channel, told } = open();
  for (let i = 0; i < 20; i++) {
    const answer = channel.transmit(COMMAND);
    await clock.advance(1_500);
    card.waiting.shift()!(DONE);
    expect(await answer).toEqual(DONE);
  }
  expect(told).toEqual([]);
  await channel.close();
  expect(card.closed).toBe(1);
});

test('a slow card is told of once, and again when it has answered', async () => {
  const { clock, card, channel, told } = open();
  const answer = channel.transmit(COMMAND);
  await clock.advance(1_999);
  expect(told).toEqual([]);
  await clock.advance(5_000);
  expect(told).toEqual(['slow']);
  card.waiting.shift()!(DONE);
  expect(await answer).toEqual(DONE);
  expect(told).toEqual(['slow', 'answered']);
});

test('after its time a command fails with all that wait behind it, and the card is closed', async () => {
  const { clock, card, channel } = open();
  const answers = [channel.transmit(COMMAND), channel.transmit(COMMAND)];
  await clock.advance(10_000);
  for (const answer of answers) {
    await expect(answer).rejects.toMatchObject({
      code: 'CARD_STALLED',
      message: expect.stringMatching(/^the card has not answered for 10 s; take it out/) as unknown,
    });
  }
  expect(card.closed).toBe(1);
  await expect(channel.transmit(COMMAND)).rejects.toMatchObject({ code: 'CARD_STALLED' });
  // It does not wait for a card that lets nobody close it.
  card.close = () => new Promise(() => {});
  await channel.close();
});

test('the time of a command that waits for its turn begins when the one before is answered', async () => {
  const { clock, card, channel } = open();
  const first = channel.transmit(COMMAND);
  const second = channel.transmit(COMMAND);
  await clock.advance(9_000);
  card.waiting.shift()!(DONE);
  await first;
  await clock.advance(9_000);
  card.waiting.shift()!(DONE);
  expect(await second).toEqual(DONE);
});

test('when the run is to end a command has a shorter time left', async () => {
  const stop = new AbortController();
  const { clock, channel } = open({ signal: stop.signal, limitAfterAbort: 3_000 });
  const answer = channel.transmit(COMMAND);
  await clock.advance(1_000);
  stop.abort();
  await clock.advance(1_999);
  let failed = false;
  answer.catch(() => (failed = true));
  await clock.advance(0);
  expect(failed).toBe(false);
  await clock.advance(1);
  await expect(answer).rejects.toMatchObject({ code: 'CARD_STALLED' });
});

test('nothing sleeps any more when the channel is closed', async () => {
  const { clock, card, channel } = open();
  const answer = channel.transmit(COMMAND);
  card.waiting.shift()!(DONE);
  await answer;
  await channel.close();
  const watched = channel.close().then(() => 'ended');
  expect(await clock.advanceUntil(watched)).toBe('ended');
  expect(clock.monotonic()).toBe(0);
});
