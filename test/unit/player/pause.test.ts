import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openOutput } from '../../../host/player/open-output.ts';
import type { Output } from '../../../host/player/output.ts';
import { MAX_RESUME, maxPaid, measurePause, startHttpReader } from '../../support/streams/paused-player.ts';

const LOOPBACK = '127.0.0.1';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-pause-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Programs that read at once what they get; SIGSTOP pauses them as a user pauses a player. */
const READERS: Record<string, () => Promise<{ output: Output; reader: ChildProcess }>> = {
  async HTTP() {
    const output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
    return { output, reader: startHttpReader(output.where) };
  },
  async 'a named pipe'() {
    const path = join(folder, `fifo-${performance.now()}`);
    spawnSync('mkfifo', [path]);
    const output = await openOutput(path, LOOPBACK);
    return { output, reader: spawn('cat', [path], { stdio: 'ignore' }) };
  },
  // A terminal that nobody reads keeps a write waiting, as a disk does that is too slow.
  async 'a slow device'() {
    const name = join(folder, `tty-${performance.now()}`);
    const line = `stty raw -echo; tty >${name}; sleep 60`;
    const reader = spawn('script', ['-qfc', line, '/dev/null'], { stdio: ['ignore', 'ignore', 'ignore'] });
    let device = '';
    while (!device.endsWith('\n')) {
      await sleep(20);
      device = await readFile(name, 'utf8').catch(() => '');
    }
    return { output: await openOutput(device.trim(), LOOPBACK), reader };
  },
};

describe.concurrent.each(Object.keys(READERS))('a player that pauses, by %s', (name) => {
  test.each([1, 4, 20])('at %i Mbit/s: what is paid after the pause, and the start after it', async (megabits) => {
    const { output, reader } = await READERS[name]!();
    const pause = await measurePause(output, reader, megabits);
    expect(pause.isStopped).toBe(true);
    expect(pause.paid).toBeLessThanOrEqual(maxPaid(megabits));
    expect(pause.goesOnAfter).toBeLessThan(MAX_RESUME);
  });
});
