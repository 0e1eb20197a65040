import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Output } from '../../../host/player/output.ts';
import { ClearWriter } from '../../../host/stream/opening/clear-packets.ts';
import { writeRtpHeader } from '../../../host/stream/packet/rtp-packet.ts';

/** Octets of a group as a bridge opens it: 10 packets. */
const GROUP = 13_160;
/** ms. */
const STEP = 10;

/** The most octets that a pause may cost: 512 KB, and two seconds. */
export function maxPaid(megabits: number): number {
  return Math.min(512 * 1024, (megabits * 1e6) / 4);
}

/** ms. At once, for a machine that has much to do. */
export const MAX_RESUME = 2000;

/** A program that reads at once what it gets by HTTP; SIGSTOP pauses it. */
export function startHttpReader(address: string): ChildProcess {
  const program = `require('http').get('${address}', (response) => response.resume())`;
  return spawn(process.execPath, ['--eval', program], { stdio: 'ignore' });
}

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

/** What a pause came to. */
export interface Pause {
  /** Octets that were paid after it. */
  readonly paid: number;
  /** Whether the toll had stopped after 3.5 s. */
  readonly isStopped: boolean;
  /** ms from the end of the pause until something was paid again. */
  readonly goesOnAfter: number;
}

/**
 * Plays into an output, pauses its reader, lets it go on, and closes both.
 * @param reader is stopped as a user pauses a player.
 * @param megabits a second.
 */
export async function measurePause(output: Output, reader: ChildProcess, megabits: number): Promise<Pause> {
  const { state, stop } = play(output, megabits * 1e6);
  while (state.paid < (megabits * 1e6) / 16) await sleep(20);
  const before = state.paid;
  reader.kill('SIGSTOP');
  await sleep(3500);
  const paused = state.paid;
  const isStopped = !output.isReady;
  reader.kill('SIGCONT');
  const goesOnAt = performance.now();
  while (state.paid === paused) await sleep(10);
  const goesOnAfter = performance.now() - goesOnAt;
  stop();
  await sleep(500);
  reader.kill('SIGKILL');
  await output.close();
  return { paid: paused - before, isStopped, goesOnAfter };
}
