import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ReceivedFile } from '../../../host/player/files/received-file.ts';

const PIECE = 100;
/** 10 pieces and a short one. */
const CONTENT = randomBytes(10 * PIECE + 7);
const DESCRIPTION = {
  name: 'x',
  length: CONTENT.length,
  digest: new Uint8Array(createHash('sha256').update(CONTENT).digest()),
  pieceLength: PIECE,
};

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-received-'));
  path = join(folder, 'x');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (overwrite = false): ReceivedFile => new ReceivedFile(DESCRIPTION, path, overwrite);
const pieceAt = (number: number): Uint8Array => CONTENT.subarray(number * PIECE, (number + 1) * PIECE);

test('pieces may come in any order, twice, and over several runs', async () => {
  const first = open();
  for (const number of [10, 3, 7, 3]) first.add(number, pieceAt(number));
  expect(first).toMatchObject({ received: 207, missing: 8, isWhole: false });
  expect([first.lacks(3), first.lacks(4), first.lacks(11)]).toEqual([false, true, false]);
  await first.close();
  const second = open();
  expect(second).toMatchObject({ received: 207, missing: 8 });
  for (let number = 0; number < 11; number++) second.add(number, pieceAt(number));
  expect(second).toMatchObject({ received: CONTENT.length, missing: 0, isWhole: true });
  await second.finish();
  await second.close();
  expect((await readFile(path)).equals(CONTENT)).toBe(true);
  expect(await readdir(folder)).toEqual(['x']);
});

test('a piece that cannot be one of the file is let go', async () => {
  const file = open();
  for (const [number, length] of [
    [0, PIECE - 1],
    [0, PIECE + 1],
    [10, PIECE],
    [11, 7],
    [2 ** 31, PIECE],
  ] as const) {
    file.add(number, new Uint8Array(length));
  }
  expect(file.received).toBe(0);
  await file.close();
});

test('a file with another SHA-256 is not put in its place, and is received anew', async () => {
  const file = open();
  for (let number = 0; number < 11; number++) file.add(number, pieceAt(number));
  await file.flush();
  await writeFile(join(folder, 'x.part'), randomBytes(CONTENT.length));
  await expect(file.finish()).rejects.toMatchObject({ code: 'FILE_DAMAGED' });
  await file.close();
  expect(await readdir(folder)).toEqual(['x.part', 'x.part.held']);
  const again = open();
  expect(again).toMatchObject({ received: 0, missing: 11 });
  await again.close();
});

test('what another file or somebody left behind is not taken for pieces of this one', async () => {
  const other = new ReceivedFile({ ...DESCRIPTION, digest: new Uint8Array(32) }, path, false);
  other.add(0, pieceAt(0));
  await other.close();
  expect(open).toThrow(expect.objectContaining({ code: 'OUTPUT_EXISTS' }));
  await rm(`${path}.part`);
  await rm(`${path}.part.held`);
  await writeFile(join(folder, 'mine'), 'mine');
  await symlink('mine', `${path}.part`);
  expect(open).toThrow(expect.objectContaining({ code: 'OUTPUT_EXISTS' }));
  expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('mine');
});

test('a file that came to its place meanwhile is kept, unless it may be replaced', async () => {
  for (const overwrite of [false, true]) {
    const file = open(overwrite);
    for (let number = 0; number < 11; number++) file.add(number, pieceAt(number));
    await writeFile(path, 'mine');
    if (overwrite) await file.finish();
    else await expect(file.finish()).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    await file.close();
    expect((await readFile(path)).equals(overwrite ? CONTENT : Buffer.from('mine'))).toBe(true);
  }
  expect(await readdir(folder)).toEqual(['x']);
});

test('a disk that fails is told, and pieces that did not reach it are not believed to be there', async () => {
  const file = open();
  file.add(0, pieceAt(0));
  await file.flush();
  // No disk takes a write at this place.
  const beyond = { ...DESCRIPTION, length: 2 ** 46, pieceLength: 2 ** 19 };
  const large = new ReceivedFile(beyond, join(folder, 'large'), false);
  large.add(2 ** 27 - 1, new Uint8Array(2 ** 19));
  await expect(large.flush()).rejects.toMatchObject({ code: 'OUTPUT' });
  await large.close();
  await file.close();
  expect(new ReceivedFile(beyond, join(folder, 'large'), false).received).toBe(0);
});
