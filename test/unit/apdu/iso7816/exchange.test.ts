import { describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { FormatError, OutOfRangeError } from '../../../../apdu/errors.ts';
import { exchange } from '../../../../apdu/iso7816/exchange.ts';
import { concat, fromHex, toHex } from '../../../../apdu/octets.ts';

/** A card that answers from a script and keeps what it was sent. */
class ScriptedCard implements CardChannel {
  readonly atr = fromHex('3b00');
  readonly sent: string[] = [];
  readonly #answers: string[];

  constructor(...answers: string[]) {
    this.#answers = answers;
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    this.sent.push(toHex(command));
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error('more commands than the script has answers');
    return fromHex(answer);
  }

  async close(): Promise<void> {}
}

const list = { cla: 0x80, ins: 0xca, p1: 0, p2: 0 };

describe('exchange', () => {
  test('a plain command is one command', async () => {
    const card = new ScriptedCard('aabb9000');
    expect(await exchange(card, { ...list, le: 256 })).toEqual({ data: fromHex('aabb'), status: 0x9000 });
    expect(card.sent).toEqual(['80ca000000']);
  });

  test('61xx: the rest is fetched with GET RESPONSE on the same logical channel', async () => {
    const card = new ScriptedCard('01026102', '03046100', `05${'00'.repeat(255)}9000`);
    const { data, status } = await exchange(card, { ...list, cla: 0x82, data: fromHex('99'), le: 256 });
    expect(status).toBe(0x9000);
    expect(toHex(data)).toBe(`0102030405${'00'.repeat(255)}`);
    expect(card.sent).toEqual(['82ca0000019900', '02c0000002', '02c0000000']);
  });

  test('GET RESPONSE goes to further logical channels, and in a class of the application', async () => {
    const further = new ScriptedCard('6101', 'aa9000');
    await exchange(further, { ...list, cla: 0xc3, le: 1 });
    expect(further.sent[1]).toBe('43c0000001');
    const own = new ScriptedCard('6101', 'aa9000');
    await exchange(own, { ...list, le: 1 }, { getResponseCla: 0x80 });
    expect(own.sent[1]).toBe('80c0000001');
  });

  test('61xx in the middle that ends in an error keeps the error', async () => {
    const card = new ScriptedCard('6102', '6f00');
    expect((await exchange(card, { ...list, le: 256 })).status).toBe(0x6f00);
  });

  test('6Cxx: the same command goes once more with the right Le, in cases 2 and 4', async () => {
    const two = new ScriptedCard('6c03', '0102039000');
    expect(toHex((await exchange(two, { ...list, le: 256 })).data)).toBe('010203');
    expect(two.sent).toEqual(['80ca000000', '80ca000003']);
    const four = new ScriptedCard('6c00', 'aa9000');
    await exchange(four, { ...list, data: fromHex('1122'), le: 1 });
    expect(four.sent).toEqual(['80ca000002112201', '80ca000002112200']);
  });

  test('6Cxx with octets before it is an answer: nothing is sent again', async () => {
    const card = new ScriptedCard('01026c03', '0102039000');
    expect(await exchange(card, { ...list, le: 256 })).toEqual({ data: fromHex('0102'), status: 0x6c03 });
    expect(card.sent).toHaveLength(1);
  });

  test('6Cxx is followed once, and 61xx after it to its end', async () => {
    const twice = new ScriptedCard('6c03', '6c04');
    expect((await exchange(twice, { ...list, le: 256 })).status).toBe(0x6c04);
    expect(twice.sent).toHaveLength(2);
    const both = new ScriptedCard('6c03', '0102036101', '6c02', '04059000');
    expect(toHex((await exchange(both, { ...list, le: 256 })).data)).toBe('0102030405');
  });

  test('no answer was asked for: nothing is fetched and nothing is sent again', async () => {
    for (const status of ['6105', '6c05']) {
      for (const command of [list, { ...list, data: fromHex('1122') }]) {
        const card = new ScriptedCard(status);
        expect((await exchange(card, command)).status).toBe(Number.parseInt(status, 16));
        expect(card.sent).toHaveLength(1);
      }
    }
  });

  test('no other status word makes it send again', async () => {
    for (const status of ['6700', '6985', '6f00', '6d00', '9484', '0000', '6281']) {
      const card = new ScriptedCard(status);
      expect((await exchange(card, { ...list, data: fromHex('11'), le: 256 })).status).toBe(
        Number.parseInt(status, 16),
      );
      expect(card.sent).toHaveLength(1);
    }
  });

  test('the whole answer is bounded', async () => {
    const card = new ScriptedCard(...Array.from({ length: 10 }, () => `${'ab'.repeat(200)}61c8`));
    await expect(exchange(card, { ...list, le: 256 }, { maxAnswer: 1_000 })).rejects.toThrow(FormatError);
    expect(card.sent).toHaveLength(6);
    const endless = new ScriptedCard('6105', '6105', '6105');
    await expect(exchange(endless, { ...list, le: 256 })).rejects.toThrow('without giving any');
  });

  test('a chain has CLA bit 5 on all commands but the last, and Le on the last', async () => {
    const data = Uint8Array.from({ length: 600 }, (_, i) => i);
    const card = new ScriptedCard('9000', '9000', '6c01', '779000');
    const response = await exchange(card, { ...list, data, le: 256 }, { chainAt: 255 });
    expect(toHex(response.data)).toBe('77');
    expect(card.sent.map((sent) => sent.slice(0, 10))).toEqual([
      '90ca0000ff',
      '90ca0000ff',
      '80ca00005a',
      '80ca00005a',
    ]);
    expect(card.sent[3]?.slice(-2)).toBe('01');
    const parts = card.sent.slice(0, 3).map((sent, i) => fromHex(sent).subarray(5, i < 2 ? 260 : 95));
    expect(concat(...parts)).toEqual(data);
  });

  test('data that fits is one command even where chaining is allowed', async () => {
    const card = new ScriptedCard('9000');
    await exchange(card, { ...list, data: new Uint8Array(255) }, { chainAt: 255 });
    expect(card.sent).toHaveLength(1);
    expect(card.sent[0]?.slice(0, 10)).toBe('80ca0000ff');
  });

  test('a chain that the card breaks off is not continued', async () => {
    const card = new ScriptedCard('9000', '6884');
    const response = await exchange(card, { ...list, data: new Uint8Array(300), le: 256 }, { chainAt: 100 });
    expect(response.status).toBe(0x6884);
    expect(card.sent).toHaveLength(2);
  });

  test('without chaining long data is one extended command', async () => {
    const card = new ScriptedCard('9000');
    await exchange(card, { ...list, data: new Uint8Array(300) });
    expect(card.sent[0]?.slice(0, 14)).toBe('80ca000000012c');
  });

  test('what cannot be a chain is refused before anything is sent', async () => {
    const card = new ScriptedCard();
    for (const chainAt of [0, 256, 1.5]) {
      await expect(exchange(card, { ...list, data: new Uint8Array(300) }, { chainAt })).rejects.toThrow(
        OutOfRangeError,
      );
    }
    const chained = { ...list, cla: 0x90, data: new Uint8Array(300) };
    await expect(exchange(card, chained, { chainAt: 255 })).rejects.toThrow('chaining bit');
    expect(card.sent).toHaveLength(0);
  });
});
