import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PrivatePcscd } from '../../../card-sim/simulator/private-pcscd.ts';
import { RunnerProcess } from '../../../card-sim/simulator/runner-process.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulator-needs-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

test('without Java the error says which to install', async () => {
  vi.stubEnv('JAVA_HOME', folder);
  await expect(RunnerProcess.start('tcp=0')).rejects.toMatchObject({
    code: 'NO_JAVA',
    message: expect.stringMatching(/^there is no Java .*; install a JDK 17 or newer, or set JAVA_HOME$/) as unknown,
  });
});

test('a Java that is too old is told from one that fails', async () => {
  // What Java 11 writes of this jar; it is not installed where the tests run.
  const words =
    'Error: LinkageError occurred while loading main class tollcast.runner.Main\n' +
    '\tjava.lang.UnsupportedClassVersionError: tollcast/runner/Main has been compiled by a more recent version';
  const java = join(folder, 'bin', 'java');
  await mkdir(join(folder, 'bin'));
  vi.stubEnv('JAVA_HOME', folder);
  for (const [said, code] of [
    [words, 'NO_JAVA'],
    ['Error occurred during initialization of VM', 'RUNNER_FAILED'],
  ]) {
    await writeFile(java, `#!/bin/sh\ncat >&2 <<'END'\n${said}\nEND\nexit 1\n`);
    await chmod(java, 0o755);
    await expect(RunnerProcess.start('tcp=0')).rejects.toMatchObject({ code });
  }
});

test('where pcscd cannot be started the error says what to install', async () => {
  vi.stubEnv('PCSCLITE_CSOCK_NAME', '');
  await using pcscd = await PrivatePcscd.prepare();
  vi.stubEnv('PATH', folder);
  await expect(pcscd.run()).rejects.toMatchObject({
    code: 'NO_PCSCD',
    message: expect.stringContaining('apt-get install pcscd vsmartcard-vpcd') as unknown,
  });
  expect(pcscd.running).toBe(false);
});

test('without Vitest the fixture says how to install it', async () => {
  const script = `
    import { registerHooks } from 'node:module';
    registerHooks({ resolve: (name, context, next) => next(name === 'vitest' ? 'vitest-that-is-missing' : name, context) });
    await import('./card-sim/vitest.ts').catch(({ code, message }) => console.log(code, message));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe('NO_VITEST the card fixture needs Vitest; type: npm install --save-dev vitest\n');
});
