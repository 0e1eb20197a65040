import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { startCard } from '../../../card-sim/index.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';
import { personalise } from '../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../support/tollcast-cli.ts';

const PIN_IN_HEX = '31323334ffffffff';

let folder: string;
let address: string;
let env: NodeJS.ProcessEnv;
let child: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-shell-'));
  process.env['XDG_RUNTIME_DIR'] = folder;
  env = { ...process.env, XDG_STATE_HOME: join(folder, 'state') };
  await using card = await startCard({ kind: 'soft', state: join(folder, 'card') });
  await personalise(card, 3, 5_000_000n);
  address = card.address;
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await secure.storeData(DGI.pin, encodePin('1234'), false);
  await channel.close();
});

afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  delete process.env['XDG_RUNTIME_DIR'];
  await rm(folder, { recursive: true, force: true });
});

interface Shell {
  readonly said: () => string;
  type(line: string): void;
  until(what: string | RegExp): Promise<void>;
  readonly ended: Promise<number | null>;
}

/** Starts a shell; at a terminal that `script` makes, or with its input from a pipe. */
function start(terminal: boolean): Shell {
  const words = [process.execPath, TOLLCAST, 'card', 'shell', '--card', address];
  const [program = '', ...args] = terminal
    ? ['script', '-qefc', words.map((word) => `'${word}'`).join(' '), '/dev/null']
    : words;
  const run = spawn(program, args, { env, stdio: 'pipe' });
  child = run;
  let said = '';
  let seen = 0;
  for (const stream of [run.stdout, run.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return {
    said: () => said,
    type: (line) => {
      seen = said.length;
      run.stdin.write(`${line}\n`);
    },
    async until(what) {
      const isSaid = () => (typeof what === 'string' ? said.slice(seen).includes(what) : what.test(said.slice(seen)));
      for (let tries = 0; !isSaid(); tries++) {
        if (tries > 1_500) throw new Error(`it does not say ${String(what)}: ${said}`);
        await sleep(10);
      }
    },
    ended: once(run, 'close').then(([code]) => code as number | null),
  };
}

test('asks a card in words and in hexadecimal, and tells what it answers', async () => {
  const shell = start(false);
  const lines = ['purse', 'limits', 'log 1', 'open 7', 'close', '80 40 00 00 00', 'receipt', 'trace on', 'keys'];
  for (const line of [...lines, 'open', 'frobnicate', 'help', 'quit']) shell.type(line);
  expect(await shell.ended).toBe(0);
  const said = shell.said();
  expect(said).toContain('decode module 0a1b2c-02-00000003, active; type help for what can be asked\n');
  expect(said).toContain('balance   5.00 USD of at most 500.00 USD\n');
  expect(said).toMatch(/\ntriesLeft {7}3\n/);
  expect(said).toContain('a session of service 7 is open\n');
  expect(said).toMatch(/\n> 80 40 00 00 00 {2}GET PURSE\n< ([0-9A-F]{2} ){70} ?9000 .* \(\d+\.\d ms\)\n/);
  expect(said).toContain('NOT_FOUND: the card answered 6A82 to GET RECEIPT: no such application');
  expect(said).toMatch(/\nthe trace is on\n> 80 38 00 00 00 {2}LIST KEYS\n< 9000 /);
  expect(said).toContain('INPUT: write it as: open SERVICE\n');
  expect(said).toContain('INPUT: "frobnicate" is not a command; type: help\n');
  expect(said).toMatch(/\nverify +present the PIN, which is asked for and not shown\n/);
});

test(
  'at a terminal: neither screen nor history shows a PIN, and the history is private',
  { timeout: 30_000 },
  async () => {
    const shell = start(true);
    await shell.until('card> ');
    shell.type('trace on');
    await shell.until(/trace is on[^]*card> /);
    shell.type('verify');
    await shell.until('PIN of the card:');
    shell.type('1234');
    await shell.until(/the PIN is verified[^]*card> /);
    const screen = shell.said();
    expect(screen).toMatch(/> 80 20 00 00 08 \.\. \.\. \.\. \.\. \.\. \.\. \.\. \.\. 00 {2}VERIFY\r?\n< 9000 /);
    expect(screen).not.toContain('1234');
    expect(screen).not.toContain('31 32 33 34');
    shell.type(`8020000008${PIN_IN_HEX}`);
    await shell.until(/VERIFY[^]*9000[^]*card> /);
    shell.type('purse');
    await shell.until(/balance[^]*card> /);
    shell.type('quit');
    expect(await shell.ended).toBe(0);

    const file = join(folder, 'state', 'tollcast', 'shell-history');
    expect((await readFile(file, 'utf8')).split('\n')).toEqual(['trace on', 'verify', 'purse', 'quit', '']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'state', 'tollcast'))).mode & 0o777).toBe(0o700);
  },
);

test('lends its card, and works through a program that lends it', async () => {
  const shell = start(false);
  await shell.until('decode module');
  const channel = await openCard(address);
  const module = new DecodeModule(channel);
  expect((await module.select()).life).toBe('active');
  await expect(openCard(address, { lendAs: 'tollcast watch' })).rejects.toMatchObject({
    message: `the card is in use by tollcast card shell (process ${child!.pid}); end that first`,
  });
  await channel.close();
  shell.type('quit');
  expect(await shell.ended).toBe(0);

  const own = await openCard(address, { lendAs: 'tollcast watch' });
  try {
    await new DecodeModule(own).select();
    const second = start(false);
    second.type('purse');
    second.type('quit');
    expect(await second.ended).toBe(0);
    expect(second.said()).toContain('balance   5.00 USD');
  } finally {
    await own.close();
  }
});

test('a program that has the card and stands still is named', async () => {
  const shell = start(false);
  await shell.until('decode module');
  child!.kill('SIGSTOP');
  const { code, stderr } = await runTollcast(['card', 'info', '--card', address], { env });
  expect([code, stderr]).toEqual([
    4,
    `tollcast: the card is in use by process ${child!.pid}, which does not answer; let it go on, or end it\n`,
  ]);
});

test('what a killed program leaves behind keeps nobody from the card', async () => {
  const shell = start(false);
  await shell.until('decode module');
  expect(await readdir(join(folder, 'tollcast'))).toHaveLength(1);
  child!.kill('SIGKILL');
  await shell.ended;
  expect((await runTollcast(['card', 'info', '--card', address], { env })).code).toBe(0);
  expect(await readdir(join(folder, 'tollcast'))).toEqual([]);
});

test('--trace tells of every command of any other command, without what is secret', async () => {
  const pin = { env: { ...env, TOLLCAST_PIN: '1234' } };
  const { code, stderr } = await runTollcast(['card', 'spend-limit', '2.00', '--card', address, '--trace'], pin);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^> 00 A4 04 00 0A F0 54 [^\n]* {2}SELECT\n< 6F 31 [^\n]* 9000 [^\n]*\n/);
  expect(stderr).toMatch(/\n> 80 20 00 00 08 \.\. \.\. \.\. \.\. \.\. \.\. \.\. \.\. 00 {2}VERIFY\n< 9000 /);
  expect(stderr).toMatch(/\n> 80 2E 00 00 06 00 00 00 1E 84 80 00 {2}SET SPEND LIMIT\n< 9000 /);
  expect(stderr.toLowerCase().replaceAll(' ', '')).not.toContain(PIN_IN_HEX);
});
