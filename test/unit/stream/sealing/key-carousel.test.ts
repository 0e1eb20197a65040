import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { type KeyMessage, parseKeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { KeyCarousel } from '../../../../host/stream/sealing/key-carousel.ts';

const HEADER = { service: 7, from: 1, to: 2 };

function grant(serial: number): KeyMessage {
  const header = { ...HEADER, kind: KIND.service, keyId: 1, number: 5, parentKind: KIND.unique, parentId: serial };
  return sealKeyMessage(header, randomBytes(16), new Uint8Array(32), randomBytes(16));
}

function content(id: number): KeyMessage {
  const header = { ...HEADER, kind: KIND.content, keyId: id, number: 0, parentKind: KIND.segment, parentId: 1 };
  return sealKeyMessage(header, randomBytes(16), new Uint8Array(48), randomBytes(16));
}

/** Reads datagrams as `firmware-notes/protocol.md` 5.3 lays them out. */
function messagesIn(datagrams: readonly Uint8Array[]): KeyMessage[] {
  return datagrams.flatMap((datagram) => {
    expect(datagram.length).toBeLessThanOrEqual(1400);
    const messages: KeyMessage[] = [];
    for (let at = 0; at < datagram.length; at += messages.at(-1)!.octets.length) {
      messages.push(parseKeyMessage(datagram.subarray(at)));
    }
    return messages;
  });
}

test('grants, then keys in the order given, every 250 ms', () => {
  const grants = [grant(1), grant(2)];
  const keys = [content(10), content(11)];
  const carousel = new KeyCarousel(grants);
  expect(messagesIn(carousel.due(0, keys))).toEqual([...grants, ...keys]);
  expect(carousel.nextAt).toBe(250);
  expect(carousel.due(249, keys)).toEqual([]);
  expect(messagesIn(carousel.due(250, keys))).toEqual([...grants, ...keys]);
});

test('a new key goes out at once, an old one that is gone stays away', () => {
  const [old, next] = [content(10), content(11)];
  const carousel = new KeyCarousel([]);
  carousel.due(0, [old]);
  expect(messagesIn(carousel.due(1, [old, next]))).toEqual([old, next]);
  expect(carousel.nextAt).toBe(251);
  expect(carousel.due(2, [next])).toEqual([]);
  expect(messagesIn(carousel.due(251, [next]))).toEqual([next]);
});

test('of many grants each goes out within a second, in equal parts', () => {
  const grants = Array.from({ length: 1000 }, (_none, i) => grant(i));
  const keys = [content(10)];
  const carousel = new KeyCarousel(grants);
  const seen: number[] = [];
  for (let now = 0; now < 1000; now += 250) {
    const messages = messagesIn(carousel.due(now, keys));
    expect(messages).toHaveLength(251);
    expect(messages.at(-1)).toEqual(keys[0]);
    seen.push(...messages.slice(0, -1).map((message) => message.parentId));
  }
  expect(seen).toEqual(grants.map((message) => message.parentId));
});

test('without anything to say it says nothing', () => {
  expect(new KeyCarousel([]).due(0, [])).toEqual([]);
});
