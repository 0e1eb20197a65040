import { describe, expect } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { CARD_KEYS, type CardKeyName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { deriveParentKeys, parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import {
  parseCardHeader,
  readCardPartLength,
  completeCardPart,
} from '../../../apdu/decode-module/packets/card-part.ts';
import { moduleTracePolicy } from '../../../apdu/decode-module/trace-policy.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { type RedactionPolicy, showEverything, type TraceEntry, traceChannel } from '../../../apdu/iso7816/trace.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import { deriveTestCardKey, makePayloads, personalise, TestService } from '../../support/streams/test-service.ts';

const SERVICE = 7;
const RTP_HEADER = 12;
/** Packets of a run: groups of 1, 2, 10 and 100 come out even. */
const PACKETS = 200;

const SHAPES = (['sealed', 'open'] as const).flatMap((mode) =>
  [1, 2, 10, 100].flatMap((every) => [32, 64, 208].map((span) => ({ mode, every, span, length: 1316 }))),
);
const STRICT = { mode: 'open', every: 1, span: 208, length: 188 } as const;

interface Shape {
  readonly mode: 'sealed' | 'open';
  readonly every: number;
  readonly span: number;
  readonly length: number;
}

/** The keys that a stream's messages carry, unwrapped by hand from the card's own key down, with their working keys. */
function keysOf(messages: readonly Uint8Array[], cardId: Uint8Array) {
  const held = new Map([[KIND.unique as number, deriveTestCardKey('downlink', cardId)]]);
  const secrets: Uint8Array[] = [];
  for (const octets of messages) {
    const message = parseKeyMessage(octets);
    const parent = deriveParentKeys(message, held.get(message.parentKind)!);
    const key = new AesCbc(parent.encryption).decrypt(octets.slice(32, 48));
    held.set(message.kind, key);
    const { encryption, mac } = deriveWorkingKeys(message.kind, message.service, message.keyId, key);
    secrets.push(key, encryption, mac, parent.encryption, parent.mac);
  }
  for (const name of Object.keys(CARD_KEYS) as CardKeyName[]) secrets.push(deriveTestCardKey(name, cardId));
  return secrets;
}

/** Sends a stream through a card and keeps the trace. */
async function run(card: SimulatedCard, shape: Shape, policy: RedactionPolicy = showEverything) {
  const cardId = await personalise(card, 1, 100_000_000n);
  const service = new TestService({ cards: [cardId], ...shape });
  const messages = service.keys().slice(0, 3);
  const payloads = makePayloads(PACKETS, shape.length);
  const groups = service.seal(payloads);
  const entries: TraceEntry[] = [];
  const options = { policy, clock: () => 0, sink: (entry: TraceEntry) => entries.push(entry) };
  await using channel = Object.assign(traceChannel(await card.channel(), options), {
    [Symbol.asyncDispose]: () => channel.close(),
  });
  const module = new DecodeModule(channel);
  await module.select();
  for (const message of messages) await module.loadKey(message);
  await module.openSession(SERVICE);
  const before = (await card.counts()).commands;
  const answers: Uint8Array[] = [];
  for (const { packets } of groups) {
    const { octets } = packets[0]!;
    const part = octets.subarray(RTP_HEADER, RTP_HEADER + readCardPartLength(octets.subarray(RTP_HEADER)));
    const mki = new DataView(octets.buffer, octets.byteOffset + octets.length - 4).getUint32(0);
    const whole = completeCardPart(part, service.ssrc, mki & 0x7fffffff);
    expect(parseCardHeader(whole).packets).toBe(shape.every);
    answers.push(await module.decode(whole));
  }
  const commands = (await card.counts()).commands - before;
  return { cardId, service, messages, payloads, groups, entries, answers, commands };
}

/** Whatever the card answered, without the status words, in one text. */
function answered(entries: readonly TraceEntry[]): string {
  return entries.map(({ answer = '' }) => answer.slice(0, -4)).join('|');
}

describe.for(['soft', 'jcardsim'] as const)('a card (%s)', (kind) => {
  const test = cardTest(kind);

  test.for([...SHAPES, STRICT])(
    'takes the toll of $mode, one in $every, span $span, payload $length: a command a group, every nth payload through it, no key out',
    async (shape, { card }) => {
      const { cardId, messages, payloads, groups, entries, answers, commands } = await run(card, shape);

      expect(groups).toHaveLength(PACKETS / shape.every);
      expect(commands).toBe(groups.length);
      const content = Math.min(shape.span - 16, shape.length);
      const groupKeys: Uint8Array[] = [];
      for (const [i, answer] of answers.entries()) {
        const through = shape.mode === 'sealed' ? answer.subarray(16) : answer;
        expect(toHex(through.subarray(0, content))).toBe(toHex(payloads[i * shape.every]!.subarray(0, content)));
        if (shape.mode === 'sealed') groupKeys.push(answer.subarray(0, 16));
      }
      if (shape.length === 188) expect(content).toBe(188);

      const text = answered(entries);
      for (const secret of keysOf(messages, cardId)) expect(text).not.toContain(toHex(secret));
      if (shape.mode === 'sealed') {
        expect(new Set(groupKeys.map(toHex)).size).toBe(groups.length);
        expect(text).toContain(toHex(groupKeys[0]!));
      } else {
        const enciphered = messages.at(-1)!;
        const { keyId, service } = parseKeyMessage(enciphered);
        const contentKey = keysOf(messages, cardId)[10]!;
        const cipher = new AesCbc(deriveWorkingKeys(KIND.content, service, keyId, contentKey).encryption);
        for (const [i, { packets }] of groups.entries()) {
          const span = cipher.decrypt(packets[0]!.octets.slice(RTP_HEADER + 24, RTP_HEADER + 24 + shape.span));
          expect(toHex(span.subarray(16, 32))).toBe(toHex(payloads[i * shape.every]!.subarray(0, 16)));
          expect(text).not.toContain(toHex(span.subarray(0, 16)));
        }
      }
    },
  );

  test('shows neither keys nor content in a trace by the policy of the module', async ({ card }) => {
    const { payloads, entries, answers } = await run(card, SHAPES[7]!, moduleTracePolicy);
    const text = entries.map(({ command, answer }) => `${command}|${answer}`).join('\n');
    for (const [i, answer] of answers.entries()) {
      expect(text).not.toContain(toHex(answer.subarray(0, 16)));
      expect(text).not.toContain(toHex(payloads[i * 10]!.subarray(0, 16)));
    }
    expect(text).toContain('..');
  });
});
