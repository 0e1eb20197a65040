import { expect, test } from 'vitest';
import { WaitingChunks } from '../../../../host/headend/sources/waiting-chunks.ts';

/** Adds chunks until there is no room, a million at most. */
function fill(waiting: WaitingChunks, octets: Uint8Array): number {
  let added = 0;
  while (added < 1_000_000 && waiting.add({ octets, arrival: added })) added++;
  return added;
}

test('chunks are taken in order, with the times of their arrival', () => {
  const waiting = new WaitingChunks();
  waiting.add({ octets: Uint8Array.of(1), arrival: 10 });
  waiting.add({ octets: Uint8Array.of(2, 3), arrival: 20, ends: [1, 2] });
  expect(waiting.take()).toEqual({ octets: Uint8Array.of(1), arrival: 10 });
  expect(waiting.take()).toEqual({ octets: Uint8Array.of(2, 3), arrival: 20, ends: [1, 2] });
  expect(waiting.take()).toBeUndefined();
});

test.each([
  ['long ones by their octets', 64 * 1024, 256],
  ['tiny ones by their number', 1, 16_384],
])('%s: a chunk that does not fit is lost, and taking one makes room', (_name, length, most) => {
  const waiting = new WaitingChunks();
  const octets = new Uint8Array(length);
  expect(fill(waiting, octets)).toBe(most);
  waiting.take();
  expect(fill(waiting, octets)).toBe(1);
});

test('empty chunks take no room', () => {
  const waiting = new WaitingChunks();
  expect(fill(waiting, new Uint8Array(0))).toBe(1_000_000);
  expect(waiting.take()).toBeUndefined();
});
