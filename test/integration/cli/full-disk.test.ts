import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTollcast } from '../../support/tollcast-cli.ts';

const CARD = ['--card', 'soft:my.card'];
const env = { ...process.env, TOLLCAST_PASSPHRASE: 'of this test alone' };

const directory = mkdtempSync(join(tmpdir(), 'tollcast-disk-'));

/** Octets of the disk. */
const SIZE = 400 * 1024;
/** Containers often may not mount one; then the disk of this machine is left as it is. */
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', directory]).status === 0;

beforeAll(async () => {
  if (!isMounted) return;
  for (const args of [
    ['issuer', 'init', '--id', '4b455a'],
    ['issuer', 'personalise', ...CARD, '--serial', '1'],
  ]) {
    expect(await runTollcast(args, { cwd: directory, env })).toMatchObject({ code: 0 });
  }
  // Fills the disk to its last octet.
  try {
    for (let octets = 0; octets < SIZE; octets += 512) appendFileSync(join(directory, 'fill'), new Uint8Array(512));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
});

afterAll(async () => {
  spawnSync('umount', [directory]);
  await rm(directory, { recursive: true, force: true });
});

test.skipIf(!isMounted).each([
  [
    'headend send --source fill --rate 1000000 --address 239.255.42.1:5004 --price free --grant 4b455a-02-00000001',
    'the numbers of grants cannot be written in .tollcast/issuer: the disk is full; free some space, and start again',
  ],
  [
    'card info --card soft:my.card',
    'there is no room left beside the soft card my.card; free some, or name another file',
  ],
  ['issuer backup copy', 'the disk is full, and copy was not made; free some space, and start again'],
  [
    'issuer init --id 4b455b --store other',
    'the disk is full, and other was not made; free some space, and start again',
  ],
])('on a full disk %s says what to free', async (line, message) => {
  const { code, stderr } = await runTollcast(line.split(' '), { cwd: directory, env });
  expect({ code, stderr }).toEqual({ code: 1, stderr: `tollcast: ${message}\n` });
});
