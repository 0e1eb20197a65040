import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { type KeyMessage, parseKeyMessage, sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { type DueMessages, KeyCarousel } from '../../../../host/stream/sealing/key-carousel.ts';

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

/** What is due, as the carousel takes it. */
function dueOf(personal: readonly KeyMessage[], shared: readonly KeyMessage[]): DueMessages {
  return { personal: personal.map(({ octets }) => octets), shared: shared.map(({ octets }) => octets) };
}

test('sends the personal messages, then the shared ones in the order given, every 250 ms', () => {
  const grants = [grant(1), grant(2)];
  const keys = [content(10), content(11)];
  const due = dueOf(grants, keys);
  const carousel = new KeyCarousel();
  expect(messagesIn(carousel.take(0, due))).toEqual([...grants, ...keys]);
  expect(carousel.nextAt).toBe(250);
  expect(carousel.take(249, due)).toEqual([]);
  expect(messagesIn(carousel.take(250, due))).toEqual([...grants, ...keys]);
});

test('sends a new shared message at once, and no more of one that is no longer due', () => {
  const [old, next] = [content(10), content(11)];
  const carousel = new KeyCarousel();
  carousel.take(0, dueOf([], [old]));
  expect(messagesIn(carousel.take(1, dueOf([], [old, next])))).toEqual([old, next]);
  expect(carousel.nextAt).toBe(251);
  expect(carousel.take(2, dueOf([], [next]))).toEqual([]);
  expect(messagesIn(carousel.take(251, dueOf([], [next])))).toEqual([next]);
});

test('sends each of many personal messages within a second, in equal parts', () => {
  const grants = Array.from({ length: 1000 }, (_none, i) => grant(i));
  const keys = [content(10)];
  const due = dueOf(grants, keys);
  const carousel = new KeyCarousel();
  const seen: number[] = [];
  for (let now = 0; now < 1000; now += 250) {
    const messages = messagesIn(carousel.take(now, due));
    expect(messages).toHaveLength(251);
    expect(messages.at(-1)).toEqual(keys[0]);
    seen.push(...messages.slice(0, -1).map((message) => message.parentId));
  }
  expect(seen).toEqual(grants.map((message) => message.parentId));
});

test('goes on with the personal messages that are left when there are fewer', () => {
  const grants = Array.from({ length: 100 }, (_none, i) => grant(i));
  const carousel = new KeyCarousel();
  carousel.take(0, dueOf(grants, []));
  const left = grants.slice(0, 3);
  const serials = messagesIn(carousel.take(250, dueOf(left, []))).map((message) => message.parentId);
  expect(serials.toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
});

test('sends nothing when nothing is due', () => {
  expect(new KeyCarousel().take(0, dueOf([], []))).toEqual([]);
});
