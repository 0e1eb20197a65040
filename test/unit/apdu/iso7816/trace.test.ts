import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { CardGoneError, FormatError, TransportError } from '../../../../apdu/errors.ts';
import { ReplayChannel } from '../../../../apdu/iso7816/replay.ts';
import {
  formatTrace,
  parseTrace,
  showEverything,
  showHeaders,
  traceChannel,
  type RedactionPolicy,
  type TraceEntry,
} from '../../../../apdu/iso7816/trace.ts';
import { fromHex, toHex } from '../../../../apdu/octets.ts';

const atr = fromHex('3b80800101');

function cardThat(answer: (command: Uint8Array) => Uint8Array): CardChannel {
  return { atr, transmit: async (command) => answer(command), close: async () => {} };
}

function recorded(card: CardChannel, policy: RedactionPolicy): { channel: CardChannel; entries: TraceEntry[] } {
  const entries: TraceEntry[] = [];
  let now = 0;
  const channel = traceChannel(card, { policy, clock: () => now++, sink: (entry) => entries.push(entry) });
  return { channel, entries };
}

describe('trace', () => {
  test('keeps header, lengths and status word, and hides the data', async () => {
    const { channel, entries } = recorded(
      cardThat(() => fromHex('c0ffee9000')),
      showHeaders,
    );
    await channel.transmit(fromHex('8010000003010203ff'));
    await channel.transmit(fromHex('80100000000003010203'));
    await channel.transmit(fromHex('80ca0000ff'));
    expect(entries.map(({ command, answer }) => [command, answer])).toEqual([
      ['8010000003......ff', '......9000'],
      ['80100000000003......', '......9000'],
      ['80ca0000ff', '......9000'],
    ]);
    expect(entries[0]).toMatchObject({ at: 0, until: 1 });
  });

  test('the policy shows as much as it says', async () => {
    const policy = () => ({ command: 2, answer: 1 });
    const { channel, entries } = recorded(
      cardThat(() => fromHex('c0ffee9000')),
      policy,
    );
    await channel.transmit(fromHex('8010000003010203'));
    expect(entries[0]).toMatchObject({ command: '80100000030102..', answer: 'c0....9000' });
  });

  test('GET RESPONSE brings the answer of the command before it and is hidden like it', async () => {
    const policy: RedactionPolicy = (command) => (command[1] === 0x10 ? showHeaders(command) : showEverything(command));
    const { channel, entries } = recorded(
      cardThat(() => fromHex('c0ffee6103')),
      policy,
    );
    for (const hex of ['80100000', '00c0000003', '00c0000003', '80ca000003', '00c0000003']) {
      await channel.transmit(fromHex(hex));
    }
    expect(entries.map((entry) => entry.answer)).toEqual([
      '......6103',
      '......6103',
      '......6103',
      'c0ffee6103',
      'c0ffee6103',
    ]);
  });

  test('a malformed command shows its header only', async () => {
    const { channel, entries } = recorded(
      cardThat(() => fromHex('6700')),
      showHeaders,
    );
    await channel.transmit(fromHex('80100000050102'));
    await channel.transmit(fromHex('8010'));
    expect(entries.map((entry) => entry.command)).toEqual(['80100000......', '8010']);
  });

  test('what is hidden cannot be found in the trace', async () => {
    const octets = fc.uint8Array({ minLength: 8, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(octets, octets, async (secret, answer) => {
        const { channel, entries } = recorded(
          cardThat(() => Uint8Array.of(...answer, 0x90, 0)),
          showHeaders,
        );
        await channel.transmit(Uint8Array.of(0x80, 0x10, 0, 0, secret.length, ...secret));
        const text = formatTrace({ atr, entries });
        expect(text).not.toContain(toHex(secret.subarray(0, 8)));
        expect(text).not.toContain(toHex(answer.subarray(0, 8)));
      }),
    );
  });

  test('an error of the transport is written down and passed on', async () => {
    const gone = cardThat(() => {
      throw new CardGoneError();
    });
    const { channel, entries } = recorded(gone, showHeaders);
    await expect(channel.transmit(fromHex('00a40400'))).rejects.toThrow(CardGoneError);
    expect(entries).toEqual([{ at: 0, until: 1, command: '00a40400', error: 'CARD_GONE' }]);
  });
});

describe('trace as text', () => {
  const entries: TraceEntry[] = [
    { at: 0, until: 1.5, command: '8010000003......', answer: '....9000' },
    { at: 2, until: 3, command: '00a40400', error: 'CARD_GONE' },
  ];

  test('what was written is read back', () => {
    expect(parseTrace(formatTrace({ atr, entries }))).toEqual({ atr, entries });
  });

  test.each([
    ['', 'line 1'],
    ['{"atr":"3b.."}', 'line 1'],
    ['{"atr":"3b00"}\nx', 'line 2'],
    ['{"atr":"3b00"}\n7', 'line 2'],
    ['{"atr":"3b00"}\n{"at":0,"until":1,"command":"0g","answer":"9000"}', 'line 2'],
    ['{"atr":"3b00"}\n{"at":0,"until":1,"command":"00a4","answer":"90"}', 'line 2'],
    ['{"atr":"3b00"}\n{"at":0,"until":1,"command":"00a4"}', 'line 2'],
    ['{"atr":"3b00"}\n{"at":"0","until":1,"command":"00a4","answer":"9000"}', 'line 2'],
  ])('%j is refused at %s', (text, line) => {
    expect(() => parseTrace(text)).toThrow(FormatError);
    expect(() => parseTrace(text)).toThrow(line);
  });

  test('random text is a FormatError', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json().map((json) => `{"atr":"3b00"}\n${json}`),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          parseTrace(any);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});

describe('replay', () => {
  test('answers like the card it was recorded from', async () => {
    const { channel, entries } = recorded(
      cardThat((command) => Uint8Array.of(command[1]!, 0x90, 0)),
      showEverything,
    );
    const sent = ['00a40400', '80ca000000', '8010000001ff'].map(fromHex);
    const answers = [];
    for (const command of sent) answers.push(await channel.transmit(command));
    const replay = new ReplayChannel(parseTrace(formatTrace({ atr, entries })));
    expect(replay.atr).toEqual(atr);
    for (const [i, command] of sent.entries()) expect(await replay.transmit(command)).toEqual(answers[i]);
    expect(replay.left).toBe(0);
    await expect(replay.transmit(fromHex('00a40400'))).rejects.toMatchObject({ code: 'REPLAY' });
  });

  test('hidden octets match as many of any value, and are 00 in answers', async () => {
    const entry = { at: 0, until: 1, command: '8010000002....', answer: 'aa....9000' };
    const replay = new ReplayChannel({ atr, entries: [entry, entry] });
    expect(toHex(await replay.transmit(fromHex('80100000021234')))).toBe('aa00009000');
    await expect(replay.transmit(fromHex('8010000003123456'))).rejects.toThrow('command 2 of the trace is 80100000');
    await expect(replay.transmit(fromHex('80110000021234'))).rejects.toMatchObject({ code: 'REPLAY' });
    expect(replay.left).toBe(1);
  });

  test('errors come again, and a closed replay throws CardGoneError', async () => {
    const at = { at: 0, until: 1, command: '00a40400' };
    const replay = new ReplayChannel({
      atr,
      entries: [
        { ...at, error: 'CARD_GONE' },
        { ...at, error: 'PCSC_LINK' },
      ],
    });
    await expect(replay.transmit(fromHex('00a40400'))).rejects.toThrow(CardGoneError);
    await expect(replay.transmit(fromHex('00a40400'))).rejects.toThrow(TransportError);
    await replay.close();
    await expect(replay.transmit(fromHex('00a40400'))).rejects.toThrow(CardGoneError);
  });
});
