import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockService } from '../../../../host/headend/keys/numbers/service-lock.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-lock-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** A process that holds the lock until it is killed. */
async function startHolder(service: number): Promise<ChildProcess> {
  const module = new URL('../../../../host/headend/keys/numbers/service-lock.ts', import.meta.url).href;
  const program = `
    const { lockService } = await import(${JSON.stringify(module)});
    globalThis.lock = lockService(${JSON.stringify(directory)}, ${service});
    console.log('held');
    setInterval(() => undefined, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return holder;
}

test('a second sender of a service is refused, and told which process sends it', async () => {
  const holder = await startHolder(7);
  try {
    expect(() => lockService(directory, 7)).toThrow(
      expect.objectContaining({
        code: 'SERVICE_TAKEN',
        message: expect.stringContaining(`process ${holder.pid};`) as string,
      }),
    );
    // Another service is nobody's.
    lockService(directory, 8)[Symbol.dispose]();
  } finally {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  }
  // It ended without a word, and the lock with it.
  lockService(directory, 7)[Symbol.dispose]();
});

test('it can be taken again once it was let go, and not twice by one process', () => {
  const lock = lockService(directory, 7);
  expect(() => lockService(directory, 7)).toThrow(`process ${process.pid};`);
  lock[Symbol.dispose]();
  lockService(directory, 7)[Symbol.dispose]();
});

test('a store that is not there is named', () => {
  const missing = join(directory, 'nowhere');
  expect(() => lockService(missing, 7)).toThrow(expect.objectContaining({ code: 'GRANT_NUMBERS' }));
  expect(() => lockService(missing, 7)).toThrow(missing);
});
