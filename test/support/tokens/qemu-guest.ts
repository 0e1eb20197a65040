import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const FOLDER = join(import.meta.dirname, '../../../.node/qemu');
const KERNEL = join(FOLDER, 'vmlinuz');
const INITRD = join(FOLDER, 'initrd.gz');

/** ms; a machine that takes longer is stopped, also where the test that waits for it was given up. */
const MAX_RUN_MS = 390_000;

/** Whether `scripts/setup qemu` has made a machine here. */
export const hasQemu = existsSync(KERNEL) && existsSync(INITRD);

/**
 * Starts a machine that has this one's files, read-only, and runs a script of Node as root in it. The lines of the script
 * with `RESULT ` are JSON behind it.
 * @returns what they say, by `name`.
 * @throws Error when the machine says nothing of that kind, with what it said.
 */
export async function runInGuest(script: string, args: readonly string[]): Promise<Map<string, unknown>> {
  const words = [process.execPath, script, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  // Emulated tokens wait for their host in threads of libuv's.
  const command = Buffer.from(`UV_THREADPOOL_SIZE=16 ${words.join(' ')}`).toString('base64');
  const machine = ['-accel', 'tcg', '-cpu', 'max', '-m', '1536', '-nographic', '-no-reboot', '-nic', 'none'];
  const share = 'local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap';
  const boot = ['-kernel', KERNEL, '-initrd', INITRD, '-append', `console=ttyS0 quiet panic=-1 tollcast=${command}`];
  const qemu = spawn('qemu-system-x86_64', [...machine, ...boot, '-virtfs', share], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: MAX_RUN_MS,
    killSignal: 'SIGKILL',
  });
  const kill = (): void => void qemu.kill('SIGKILL');
  process.once('exit', kill);
  const results = new Map<string, unknown>();
  const said: string[] = [];
  qemu.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  try {
    for await (const line of createInterface({ input: qemu.stdout })) {
      const [, json] = /RESULT (.*)/.exec(line) ?? [];
      if (json === undefined) {
        said.push(line);
        continue;
      }
      const { name, result } = JSON.parse(json) as { name: string; result: unknown };
      results.set(name, result);
    }
  } finally {
    kill();
    process.off('exit', kill);
  }
  if (results.size === 0) throw new Error(`the machine gave no result:\n${said.join('\n')}`);
  return results;
}
