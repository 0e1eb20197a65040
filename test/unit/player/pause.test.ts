import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openOutput } from '../../../host/player/open-output.ts';
import type { Output } from '../../../host/player/output.ts';
import { ClearWriter } from '../../../host/stream/opening/clear-packets.ts';
import { writeRtpHeader } from '../../../host/stream/packet/rtp-packet.ts';

const LOOPBACK = '127.0.0.1';
/** Octets of a group as a bridge opens it: 10 packets. */
const GROUP = 13_160;
/** ms. */
const STEP = 10;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-pause-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Groups are written as they come, while the output is ready; what it does not take is let go unpaid. */
function play(output: Output, rate: number) {
  const state = { paid: 0 };
  let due = 0;
  const timer = setInterval(() => {
    for (due += (rate / 8000) * STEP; due >= GROUP; due -= GROUP) {
      if (!output.isReady) continue;
      const writer = new ClearWriter();
      writer.reserve(GROUP).fill(0x55);
      const header = new Uint8Array(12);
      writeRtpHeader(header, { marker: false, payloadType: 33, sequence: 1, timestamp: 1, ssrc: 2 });
      writer.push(header, 12, GROUP);
      output.write(writer.written);
      state.paid += GROUP;
    }
  }, STEP);
  return { state, stop: () => clearInterval(timer) };
}

/** Programs that read at once what they get; SIGSTOP pauses them as a user pauses a player. */
const READERS: Record<string, () => Promise<{ output: Output; reader: ChildProcess }>> = {
  async HTTP() {
    const output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
    const program = `require('http').get('${output.where}', (response) => response.resume())`;
    return { output, reader: spawn(process.execPath, ['--eval', program], { stdio: 'ignore' }) };
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
    const { state, stop } = play(output, megabits * 1e6);
    while (state.paid < (megabits * 1e6) / 16) await sleep(20);
    const { paid: paidBefore } = state;
    reader.kill('SIGSTOP');
    await sleep(3500);
    const octets = state.paid - paidBefore;
    expect(output.isReady).toBe(false);
    const paidPaused = state.paid;
    reader.kill('SIGCONT');
    const goesOnAt = performance.now();
    while (state.paid === paidPaused) await sleep(10);
    // At once, for a machine that has much to do.
    expect(performance.now() - goesOnAt).toBeLessThan(2000);
    stop();
    await sleep(500);
    reader.kill('SIGKILL');
    await output.close();
    // 512 KB, and two seconds.
    expect(octets).toBeLessThanOrEqual(Math.min(512 * 1024, (megabits * 1e6) / 4));
  });
});
