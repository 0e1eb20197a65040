import { expect, test } from 'vitest';
import { WaitingOctets } from '../../../host/headend/sources/waiting-octets.ts';

/** Adds pieces until there is no room, a million at most. */
function fill(waiting: WaitingOctets, octets: Uint8Array): number {
  let added = 0;
  while (added < 1_000_000 && waiting.add(octets, added)) added++;
  return added;
}

test('pieces are taken in order, with the times of their arrival', () => {
  const waiting = new WaitingOctets();
  waiting.add(Uint8Array.of(1), 10);
  waiting.add(Uint8Array.of(2, 3), 20);
  expect(waiting.take()).toEqual({ octets: Uint8Array.of(1), arrival: 10 });
  expect(waiting.take()).toEqual({ octets: Uint8Array.of(2, 3), arrival: 20 });
  expect(waiting.take()).toBeUndefined();
});

test.each([
  ['long ones by their octets', 64 * 1024, 256],
  ['tiny ones by their number', 1, 16_384],
])('%s: a piece that does not fit is lost, and taking one makes room', (_name, length, most) => {
  const waiting = new WaitingOctets();
  const octets = new Uint8Array(length);
  expect(fill(waiting, octets)).toBe(most);
  waiting.take();
  expect(fill(waiting, octets)).toBe(1);
});

test('empty pieces take no room', () => {
  const waiting = new WaitingOctets();
  expect(fill(waiting, new Uint8Array(0))).toBe(1_000_000);
  expect(waiting.take()).toBeUndefined();
});
