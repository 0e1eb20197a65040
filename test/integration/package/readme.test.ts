import { mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Terminal } from '../../support/terminal.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const PASSPHRASE = 'a passphrase for this test alone';
const PIN = '246810';
/** What the commands ask, and what people then type. */
const ANSWERS = [
  [/(Passphrase|New passphrase) of the issuer store:/, PASSPHRASE],
  [/PIN of the card:/, PIN],
  [/type help for what can be asked/, 'quit'],
] as const;
/** These need a network or install programs, and have tests of their own. */
const ELSEWHERE = /^(git clone|scripts\/demo)/m;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-readme-'));
  // The README's commands start in the checkout; here they find its scripts, and leave their files behind elsewhere.
  await symlink(join(ROOT, 'scripts'), join(folder, 'scripts'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** The commands of all blocks, each with the lines that continue it. */
async function readCommands(): Promise<string[]> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!);
  const typed = blocks.filter((block) => !ELSEWHERE.test(block));
  expect(typed.length).toBe(blocks.length - 1);
  return typed
    .join('')
    .split(/(?<!\\)\n/)
    .filter((line) => line.trim() !== '');
}

test('every command of the README runs as typed, in one terminal and an empty folder', async () => {
  const { TOLLCAST_PASSPHRASE: _, TOLLCAST_PIN: __, ...env } = process.env;
  await using terminal = new Terminal(folder, env);
  for (const command of await readCommands()) {
    const again = [/The same again:/, command.includes('issuer init') ? PASSPHRASE : PIN] as const;
    const shown = await terminal.type(command, [...ANSWERS, again]);
    const status = await terminal.type('echo "status $?"', []);
    expect(status, `${command}\n${shown}`).toMatch(/status 0\r\n/);
  }
  expect(terminal.shown).toContain('card 4b455a-02-00000001: loaded 10.00 USD');
  expect(terminal.shown).toContain('2 of 2 cards are done');
  expect(terminal.shown).toMatch(/carried out order \d+, a load of 0\.50 USD/);
  expect(terminal.shown).not.toContain(PASSPHRASE);
  expect(terminal.shown).not.toContain(PIN);
  const [source, recovered] = await Promise.all(['clip.ts', 'recovered.ts'].map((name) => stat(join(folder, name))));
  expect(recovered!.size).toBeGreaterThan(source!.size / 2);
}, 300_000);

test('what a message tells to type can be typed', async () => {
  await using terminal = new Terminal(folder, process.env);
  const shown = await terminal.type('scripts/tollcast issuer list', []);
  expect(shown).toMatch(/no issuer store in \.tollcast\/issuer; type: scripts\/tollcast issuer init\r\n/);
  expect(await terminal.type('scripts/tollcast issuer', [])).toMatch(/Usage: scripts\/tollcast issuer/);
}, 60_000);
