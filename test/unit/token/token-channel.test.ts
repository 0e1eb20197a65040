import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { encodeFrames, TOKEN_ERROR, TOKEN_TAG } from '../../../apdu/token/frame.ts';
import { MessageReader } from '../../../apdu/token/message-reader.ts';
import { type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import type { TokenCard } from '../../../card-sim/token/token-card.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { MemoryToken } from '../../support/tokens/memory-token.ts';

/** SELECT of no application, which the card refuses with 6A82. */
const SELECT = fromHex('00a4040000');

let clock: SimulatedClock;
let card: SimulatedCard;

beforeEach(async () => {
  clock = new SimulatedClock();
  card = await startCard({ kind: 'soft' });
});

afterEach(() => card.close());

/** A card that holds its answers until it is let go. */
function holdAnswers(): { wrap: (card: TokenCard) => TokenCard; letGo: () => void } {
  let letGo = (): void => {};
  const wrap = (inside: TokenCard): TokenCard => ({
    reset: () => inside.reset(),
    transmit: async (command) => {
      const answer = await inside.transmit(command);
      await new Promise<void>((resolve) => (letGo = resolve));
      return answer;
    },
  });
  return { wrap, letGo: () => letGo() };
}

function tagsOf(frames: readonly Uint8Array[]): number[] {
  return frames.map((frame) => frame[2]!);
}

test('a token answers as the card in it does, and closing resets the card', async () => {
  const token = new MemoryToken(card, clock);
  const channel = await token.open();
  expect(toHex(channel.atr)).toBe('3b80800101');
  expect((await new DecodeModule(channel).select()).life).toBe('blank');
  await channel.close();
  await channel.close();
  expect(tagsOf(token.sent).at(-1)).toBe(TOKEN_TAG.RESET);
  await expect(channel.transmit(SELECT)).rejects.toThrow(CardGoneError);
  expect(toHex(await (await token.open()).transmit(SELECT))).toBe('6a82');
});

test('commands are answered one after the other, in their order', async () => {
  const channel = await new MemoryToken(card, clock).open();
  const answers = await Promise.all(
    ['00a4040000', '80ff000000', '00a4040000'].map((hex) => channel.transmit(fromHex(hex))),
  );
  expect(answers.map(toHex)).toEqual(['6a82', toHex(answers[1]!), '6a82']);
});

test.each([3, 262])('a command of %i octets is not sent', async (length) => {
  const token = new MemoryToken(card, clock);
  const channel = await token.open();
  await expect(channel.transmit(new Uint8Array(length))).rejects.toThrow(/4 to 261 octets/);
  expect(token.sent).toHaveLength(1);
});

describe('a command that takes long', () => {
  test('is waited for as long as the token says that it is at it', async () => {
    const { wrap, letGo } = holdAnswers();
    const token = new MemoryToken(card, clock, wrap);
    const channel = await token.open();
    const answer = channel.transmit(SELECT);
    await clock.advance(7_900);
    letGo();
    expect(toHex(await answer)).toBe('6a82');
    expect(tagsOf(token.answered).filter((tag) => tag === TOKEN_TAG.KEEP_ALIVE)).toHaveLength(31);
  });

  test('is waited for, too, where it is the reset', async () => {
    const wrap = (inside: TokenCard): TokenCard => ({
      reset: async () => {
        await clock.sleep(5_000);
        return inside.reset();
      },
      transmit: (command) => inside.transmit(command),
    });
    const opening = new MemoryToken(card, clock, wrap).open();
    await clock.advance(5_000);
    expect(toHex((await opening).atr)).toBe('3b80800101');
  });

  test('is over when nothing is heard of the token for 2 seconds', async () => {
    const { wrap } = holdAnswers();
    const token = new MemoryToken(card, clock, wrap);
    const channel = await token.open();
    token.onAnswer = () => [];
    const answer = channel.transmit(SELECT).catch((error: unknown) => error);
    await clock.advance(2_000);
    expect(String(await answer)).toMatch(/does not answer; plug it in again/);
    await expect(channel.transmit(SELECT)).rejects.toThrow(CardGoneError);
  });

  test('ends before another program gets the card, and its answer goes nowhere', async () => {
    const { wrap, letGo } = holdAnswers();
    const token = new MemoryToken(card, clock, wrap);
    const first = await token.open();
    const lost = first.transmit(SELECT).catch((error: unknown) => error);
    const opening = token.open();
    await clock.advance(1_000);
    letGo();
    const second = await opening;
    expect(tagsOf(token.answered)).not.toContain(TOKEN_TAG.APDU);
    const answer = second.transmit(SELECT);
    await clock.advance(100);
    letGo();
    expect(toHex(await answer)).toBe('6a82');
    await clock.advance(2_000);
    expect(await lost).toBeInstanceOf(CardGoneError);
  });
});

test('a program that was replaced learns it at its next command', async () => {
  const token = new MemoryToken(card, clock);
  const first = await token.open();
  const second = await token.open();
  await expect(first.transmit(SELECT)).rejects.toThrow(/taken over by another program/);
  expect(toHex(await second.transmit(SELECT))).toBe('6a82');
});

test('an answer with a gap ends the channel', async () => {
  const token = new MemoryToken(card, clock);
  const channel = await token.open();
  token.onAnswer = (frame) => {
    const damaged = frame.slice();
    damaged[3] = 1;
    return [
      encodeFrames({ channel: (frame[0]! << 8) | frame[1]!, tag: TOKEN_TAG.APDU, data: new Uint8Array(100) })[0]!,
      damaged,
    ];
  };
  await expect(channel.transmit(SELECT)).rejects.toThrow(/answer with a gap/);
});

test('a token without a card says so', async () => {
  await card.pull();
  await expect(new MemoryToken(card, clock).open()).rejects.toThrow(/no card that answers/);
});

test('pulled 100 times in mid-command, no command is stuck and the card goes on', async () => {
  for (let i = 0; i < 100; i++) {
    const token = new MemoryToken(card, clock);
    const channel: CardChannel = await token.open();
    const answers = Array.from({ length: 3 }, () => channel.transmit(SELECT).then(toHex, (error: unknown) => error));
    for (let turn = i % 7; turn > 0; turn--) await Promise.resolve();
    token.pull();
    for (const answer of await Promise.all(answers)) {
      expect(answer === '6a82' || answer instanceof CardGoneError).toBe(true);
    }
    await channel.close();
  }
});

test('pulled while a frame is being sent, the command fails and nothing else', async () => {
  const token = new MemoryToken(card, clock);
  const channel = await token.open();
  token.onSend = async () => {
    token.pull();
    await new Promise((resolve) => setImmediate(resolve));
  };
  await expect(channel.transmit(SELECT)).rejects.toThrow(/is gone; plug it in again/);
});

describe('a token by itself', () => {
  const ask = async (
    token: MemoryToken,
    channel: number,
    tag: number,
    data: Uint8Array = new Uint8Array(),
  ): Promise<string[]> => {
    const before = token.answered.length;
    for (const frame of encodeFrames({ channel, tag, data })) token.device.receive(frame);
    await clock.advance(1);
    const reader = new MessageReader();
    return token.answered.slice(before).flatMap((frame) => {
      const outcome = reader.accept(frame);
      if (outcome === undefined || 'error' in outcome) return [];
      return `${outcome.message.channel} ${outcome.message.tag} ${toHex(outcome.message.data)}`;
    });
  };

  test('answers what the page says to what is wrong', async () => {
    const token = new MemoryToken(card, clock);
    const { APDU, CANCEL, ERROR, RESET } = TOKEN_TAG;
    const refusal = (channel: number, error: number) => [`${channel} ${ERROR} 0${error}`];
    expect(await ask(token, 1, APDU, SELECT)).toEqual(refusal(1, TOKEN_ERROR.OTHER_CHANNEL));
    expect(await ask(token, 1, RESET)).toEqual([`1 ${RESET} 3b80800101`]);
    expect(await ask(token, 1, APDU, SELECT)).toEqual([`1 ${APDU} 6a82`]);
    expect(await ask(token, 2, APDU, SELECT)).toEqual(refusal(2, TOKEN_ERROR.OTHER_CHANNEL));
    expect(await ask(token, 2, CANCEL)).toEqual(refusal(2, TOKEN_ERROR.OTHER_CHANNEL));
    expect(await ask(token, 1, CANCEL)).toEqual([`1 ${CANCEL} `]);
    expect(await ask(token, 1, APDU, fromHex('00a404'))).toEqual(refusal(1, TOKEN_ERROR.WRONG_LENGTH));
    expect(await ask(token, 1, APDU, new Uint8Array(262))).toEqual(refusal(1, TOKEN_ERROR.WRONG_LENGTH));
    expect(await ask(token, 1, 9)).toEqual(refusal(1, TOKEN_ERROR.UNKNOWN_TAG));
    expect(await ask(token, 1, ERROR, Uint8Array.of(1))).toEqual(refusal(1, TOKEN_ERROR.UNKNOWN_TAG));
  });

  test('is busy with one command at a time, and CANCEL waits for its end', async () => {
    const { wrap, letGo } = holdAnswers();
    const token = new MemoryToken(card, clock, wrap);
    const { APDU, CANCEL, ERROR, RESET } = TOKEN_TAG;
    await ask(token, 1, RESET);
    expect(await ask(token, 1, APDU, SELECT)).toEqual([]);
    expect(await ask(token, 1, APDU, SELECT)).toEqual([`1 ${ERROR} 0${TOKEN_ERROR.BUSY}`]);
    expect(await ask(token, 1, CANCEL)).toEqual([]);
    const before = token.answered.length;
    letGo();
    await clock.advance(1);
    expect(tagsOf(token.answered.slice(before))).toEqual([CANCEL]);
    expect(await ask(token, 1, APDU, SELECT)).toEqual([]);
  });
});
