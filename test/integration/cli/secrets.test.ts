import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTollcast } from '../../support/tollcast-cli.ts';

const SECRETS = {
  TOLLCAST_PASSPHRASE: 'a passphrase of this test',
  TOLLCAST_NEW_PASSPHRASE: 'another passphrase of this test',
  TOLLCAST_PIN: '73915',
  TOLLCAST_NEW_PIN: '28461',
};

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-secrets-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

test('a program that tollcast starts gets neither passphrase nor PIN', async () => {
  // It stands where Java is looked for, and tells what it was given.
  await mkdir(join(directory, 'bin'));
  const java = join(directory, 'bin', 'java');
  const environment = join(directory, 'environment');
  await writeFile(java, `#!/bin/sh\nenv >'${environment}'\nexit 1\n`);
  await chmod(java, 0o700);
  const env = { ...process.env, ...SECRETS, JAVA_HOME: directory, TOLLCAST_OTHER: 'stays' };
  const { code } = await runTollcast(['attack', 'all', '--simulate', 'jcardsim'], { cwd: directory, env });
  expect(code).not.toBe(0);
  const given = await readFile(environment, 'utf8');
  expect(given).toContain('TOLLCAST_OTHER=stays');
  for (const [name, value] of Object.entries(SECRETS)) {
    expect(given).not.toContain(name);
    expect(given).not.toContain(value);
  }
});
