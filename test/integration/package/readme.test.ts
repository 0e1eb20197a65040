import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-readme-'));
  // The README's commands start in the checkout; here they find its scripts, and leave their files behind elsewhere.
  await symlink(join(ROOT, 'scripts'), join(folder, 'scripts'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test('the commands of "By hand" run as typed', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const section = /\n## By hand\n([^]*?)\n## /.exec(readme)?.[1] ?? '';
  const commands = [...section.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!);
  expect(commands).toHaveLength(3);
  const env = {
    ...process.env,
    TOLLCAST_PASSPHRASE: 'a passphrase for this test alone',
    TOLLCAST_PIN: '246810',
    TOLLCAST_NEW_PIN: '246810',
  };
  const run = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands.join('\n')], { cwd: folder, env });
  run.child.stdin?.end();
  const { stdout } = await run;
  expect(stdout).toContain('card 4b455a-02-00000001: loaded 10.00 USD');
  expect(stdout).toMatch(/^1\b/m); // the first record of the log
  const [source, recovered] = await Promise.all(['clip.ts', 'recovered.ts'].map((name) => stat(join(folder, name))));
  expect(recovered!.size).toBeGreaterThan(source!.size / 2);
}, 120_000);
