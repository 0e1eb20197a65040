import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeCardLimits, NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { encodeVerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { startCard } from '../../../card-sim/index.ts';
import { deriveTestCardKey, makePayloads, personalise, TestNetwork, TestService } from '../../support/test-service.ts';
import { TOLLCAST } from '../../support/tollcast-cli.ts';

const OCTETS = 10 * 1316;

interface Watch {
  readonly child: ChildProcess;
  readonly out: () => Buffer;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

let directory: string;
let state: string;
let network: TestNetwork;
let cardId: Uint8Array;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-watch-'));
  state = join(directory, 'card');
  network = await TestNetwork.open();
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await network.close();
  await rm(directory, { recursive: true, force: true });
});

async function makeCard(credit: bigint): Promise<void> {
  await using card = await startCard({ kind: 'soft', state });
  cardId = await personalise(card, 3, credit);
}

/** Through the card's secure channel, as its issuer does. */
async function administer(work: (secure: DecodeModule) => Promise<void>): Promise<void> {
  await using card = await startCard({ kind: 'soft', state });
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  await work(new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET)));
  await channel.close();
}

function tollcast(...args: readonly string[]): Watch {
  const child = spawn(process.execPath, [TOLLCAST, 'watch', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const out: Buffer[] = [];
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, out: () => Buffer.concat(out), said: () => said, ended };
}

function watch(...args: readonly string[]): Watch {
  return unasked('--yes', ...args);
}

/** Without a word about the price. */
function unasked(...args: readonly string[]): Watch {
  return tollcast('--address', `${network.address}:${network.port}`, '--card', `soft:${state}`, ...args);
}

/** Sends keys until somebody has them, then groups of 10 packets. */
async function send(run: Watch, service: TestService, payloads: readonly Uint8Array[]): Promise<void> {
  for (let tries = 0; !run.said().includes('listening'); tries++) {
    if (tries > 1000 || run.child.exitCode !== null) throw new Error(`it does not listen: ${run.said()}`);
    await sleep(10);
  }
  for (let i = 0; i < 4; i++) {
    network.keys(service.keys());
    await sleep(50);
  }
  await network.groups(service.seal(payloads));
}

test('passes the stream on and ends with the bill', async () => {
  await makeCard(1_000_000n);
  const service = new TestService({ cards: [cardId] });
  const run = watch();
  const payloads = makePayloads(100);
  await send(run, service, payloads);
  await sleep(200);
  network.rtcp(service.goodbye());
  expect(await run.ended).toBe(0);
  expect(run.out().equals(Buffer.concat(payloads))).toBe(true);
  expect(run.said()).toContain('card 0a1b2c-02-00000003, balance 1.00 USD\n');
  expect(run.said()).toMatch(/\nfirst plaintext \d+ ms after joining\n/);
  expect(run.said()).toMatch(
    /\nthe sender ended the stream\ncounted {3}131600 octets in 10 groups paid, 131600 octets in 100 packets received, 0 octets missing\nbill {6}0\.0329 USD; balance 0\.9671 USD\n$/,
  );
});

test('Ctrl-C settles, and the bill is there for programs', async () => {
  await makeCard(1_000_000n);
  const service = new TestService({ cards: [cardId] });
  const file = join(directory, 'out.ts');
  const run = watch('--out', file, '--json');
  const payloads = makePayloads(20);
  await send(run, service, payloads);
  while ((await stat(file)).size < 2 * OCTETS) await sleep(20);
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
  expect((await readFile(file)).equals(Buffer.concat(payloads))).toBe(true);
  expect(JSON.parse(run.out().toString())).toMatchObject({
    end: 'STOPPED',
    card: '0a1b2c-02-00000003',
    service: 7,
    paid: 2 * OCTETS,
    received: 2 * OCTETS,
    missing: 0,
    groups: 2,
    charged: (2 * OCTETS) / 4,
    torn: 0,
    balance: 1_000_000 - (2 * OCTETS) / 4,
    currency: 'USD',
    receipts: [1],
  });
  await using card = await startCard({ kind: 'soft', state });
  const module = new DecodeModule(await card.channel());
  await module.select();
  expect(await module.getPurse()).toMatchObject({ receiptsWritten: 1, torn: 0n, taken: 0n });
});

test('a player that stops reading ends the run without an error, and the card settles', async () => {
  await makeCard(1_000_000n);
  const service = new TestService({ cards: [cardId] });
  const run = watch('--quiet');
  run.child.stdout!.destroy();
  await sleep(1000);
  for (let i = 0; i < 100 && run.child.exitCode === null; i++) {
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await sleep(50);
  }
  expect(await run.ended).toBe(0);
  expect(run.said()).toBe('');
});

test.each(['SIGTERM', 'SIGHUP'] as const)('a named pipe that nobody reads is said, and %s ends it', async (signal) => {
  await makeCard(1_000_000n);
  const fifo = join(directory, 'fifo');
  await once(spawn('mkfifo', [fifo], { stdio: 'ignore' }), 'exit');
  const run = watch('--quiet', '--out', fifo);
  while (!run.said().includes('waiting for a player: nobody takes the output; nothing is paid meanwhile\n')) {
    await sleep(20);
    expect(run.child.exitCode).toBe(null);
  }
  run.child.kill(signal);
  expect(await run.ended).toBe(0);
});

test('--quiet still tells the address that players open', async () => {
  await makeCard(1_000_000n);
  const run = watch('--quiet', '--out', 'http://localhost:0/tv');
  while (!/^output to http:\/\/127\.0\.0\.1:\d+\/tv\n/.test(run.said())) {
    await sleep(20);
    expect(run.child.exitCode).toBe(null);
  }
  run.child.kill('SIGTERM');
  expect(await run.ended).toBe(0);
});

test.each([
  ['of today', 0, 'wait for the next day, or type: '],
  [
    'that a wrong clock put years ahead',
    1500,
    /the card is at 20\d\d-\d\d-\d\d, as a stream once said, and the limit holds/,
  ],
])('a spend limit of a day %s says what helps', async (_name, ahead, says) => {
  await makeCard(1_000_000n);
  await administer((secure) =>
    secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, spendLimit: 4000n }), false),
  );
  const start = Math.floor(Date.now() / 1000) + ahead * 86_400;
  const service = new TestService({ cards: [cardId], quantum: 1000n, start });
  const run = watch('--quiet');
  for (let tries = 0; run.child.exitCode === null && tries < 100; tries++) {
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await sleep(100);
  }
  expect(await run.ended).toBe(6);
  expect(run.said()).toMatch(says);
});

test('a pipe of the shell gets the stream; a reader that has seen enough ends it, with the bill', async () => {
  await makeCard(1_000_000n);
  const service = new TestService({ cards: [cardId] });
  const at = ['--address', `${network.address}:${network.port}`, '--card', `soft:${state}`, '--yes'];
  const line = `"$@" 2>${directory}/said | head -c 20000 >${directory}/read; exit "\${PIPESTATUS[0]}"`;
  const child = spawn('bash', ['-c', line, 'bash', process.execPath, TOLLCAST, 'watch', ...at], { stdio: 'ignore' });
  children.push(child);
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const sent: Buffer[] = [];
  while (child.exitCode === null) {
    const payloads = makePayloads(10);
    sent.push(...payloads.map((payload) => Buffer.from(payload)));
    network.keys(service.keys());
    await network.groups(service.seal(payloads));
    await sleep(50);
  }
  expect(await ended).toBe(0);
  const read = await readFile(join(directory, 'read'));
  expect(read).toHaveLength(20_000);
  expect(Buffer.concat(sent).includes(read)).toBe(true);
  expect(await readFile(join(directory, 'said'), 'utf8')).toMatch(/\nbill {6}0\.0\d+ USD; balance/);
});

test('a second watch on a card says which process has it', async () => {
  await makeCard(1_000_000n);
  const service = new TestService({ cards: [cardId] });
  const first = watch();
  const payloads = makePayloads(20);
  await send(first, service, payloads);
  const second = watch();
  expect(await second.ended).toBe(4);
  expect(second.said()).toContain(`the card is in use by tollcast watch (process ${first.child.pid}); end that first`);
  first.child.kill('SIGINT');
  expect(await first.ended).toBe(0);
  expect(first.out().equals(Buffer.concat(payloads))).toBe(true);
});

test('a stream of which the card opens nothing is a failure', async () => {
  await makeCard(1_000_000n);
  const service = new TestService({ cards: [] });
  const run = watch();
  await send(run, service, makePayloads(20));
  await sleep(200);
  network.rtcp(service.goodbye());
  expect(await run.ended).toBe(1);
  expect(run.out()).toHaveLength(0);
  expect(run.said()).toMatch(/and nothing of it was opened: card 0a1b2c-02-00000003 had no key for what came; ask/);
});

test('without credit the run ends with price, balance and what to type', async () => {
  await makeCard(4000n);
  const service = new TestService({ cards: [cardId], quantum: 1000n });
  const run = watch('--quiet');
  for (let tries = 0; run.child.exitCode === null && tries < 100; tries++) {
    network.keys(service.keys());
    await network.groups(service.seal(makePayloads(10)));
    await sleep(100);
  }
  expect(await run.ended).toBe(6);
  expect(run.said()).toBe(
    `tollcast: not enough credit, price 0.25 USD/MB, balance 0.00071 USD; ` +
      `type: tollcast issuer load --card soft:${state} --amount "5.00 USD"\n`,
  );
  expect(run.out().length).toBe(OCTETS);
});

test('a card that wants its PIN opens the stream only with it; confirms and trusted signers are kept', async () => {
  await makeCard(1_000_000n);
  await administer(async (secure) => {
    await secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, pinForSessions: true }), false);
    await secure.storeData(DGI.pin, encodePin('1234'), false);
    const signer = { id: 7, key: new Uint8Array(32).fill(9) };
    await secure.storeData(DGI.verificationKey, encodeVerificationKey(0, signer), false);
  });
  const service = new TestService({ cards: [cardId] });
  const payloads = makePayloads(10);
  const refused = watch('--out', join(directory, 'none'));
  await send(refused, service, payloads);
  expect(await refused.ended).toBe(5);
  expect(refused.said()).toMatch(/tollcast: this card opens nothing without its PIN; start again with --pin\n$/);

  await writeFile(join(directory, 'wrong'), '9999');
  const wrong = watch('--quiet', '--pin-file', join(directory, 'wrong'));
  expect(await wrong.ended).toBe(5);
  expect(wrong.said()).toBe('tollcast: wrong PIN, 2 tries are left; type it again\n');

  await writeFile(join(directory, 'pin'), '1234\n');
  const confirms = join(directory, 'confirms');
  const out = ['--out', join(directory, 'out'), '--json'];
  const run = watch('--pin-file', join(directory, 'pin'), '--confirms', confirms, ...out);
  await send(run, service, payloads);
  await sleep(300);
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
  expect(run.said()).toContain('card 0a1b2c-02-00000003, balance 1.00 USD, trusts signer 7 and no other\n');
  expect(JSON.parse(run.out().toString())).toMatchObject({ packets: 10, trusted: [7] });
  const [confirm, ...others] = (await readFile(confirms, 'utf8')).trim().split('\n');
  expect(others).toEqual([]);
  expect(openConfirm(fromHex(confirm!), deriveTestCardKey('uplink', cardId))).toMatchObject({
    cardId,
    service: 7,
    keyId: 1,
  });
});

test('a full disk under the file for confirms ends the run, with the bill', async () => {
  await makeCard(1_000_000n);
  const service = new TestService({ cards: [cardId] });
  const run = watch('--confirms', '/dev/full');
  await send(run, service, makePayloads(10));
  expect(await run.ended).toBe(1);
  expect(run.said()).toMatch(/\nbill {6}.*balance/);
  expect(run.said()).toContain('tollcast: there is no room left to write /dev/full; free some, or name another file');
});

test('--wait-for-credit waits, and settles when it is stopped', async () => {
  await makeCard(1000n);
  const service = new TestService({ cards: [cardId], quantum: 1000n });
  const run = watch('--wait-for-credit');
  await send(run, service, makePayloads(10));
  while (!run.said().includes('not enough credit')) await sleep(20);
  expect(run.out().length).toBe(0);
  run.child.kill('SIGTERM');
  expect(await run.ended).toBe(0);
  expect(run.said()).toContain(
    '\nnot enough credit, price 0.25 USD/MB, balance 0.001 USD; type: tollcast issuer load ',
  );
  expect(run.said()).toMatch(/bill {6}0\.00 USD; balance 0\.001 USD\n$/);
});

describe('what does not fit is refused in one line', () => {
  test.each([
    [['--address', '239.1.2.3:5001'], /an even port from 2 to 65532/, 2],
    [['--address', '239.1.2.3:5000', '--key-port', '5001'], /--key-port 5001 is taken/, 2],
    [['--address', '239.1.2.3:5000', '--min-share', '101'], /a whole number from 0 to 100/, 2],
    [['--address', '239.1.2.3:5000', '--service', '0'], /from 1 to 4294967295/, 2],
    [['--address', '239.1.2.3:5000', '--card', ' '], /no card is named/, 2],
    [['--address', '239.1.2.3:5000', '--json'], /--json needs standard output for itself/, 2],
    [
      ['--address', '239.1.2.3:5000', '--out', 'ftp://1.2.3.4:5'],
      /is not an output, as there is no output by ftp; write stdout, FILE/,
      2,
    ],
    [
      ['--address', '239.1.2.3:5000', '--interface', '192.0.2.9', '--card', 'soft'],
      /cannot join 239\.1\.2\.3:5002 on interface/,
      1,
    ],
    [['--address', '239.1.2.3:5000', '--card', 'soft'], /this card is blank; type: tollcast issuer personalise/, 6],
    [['--address', '239.1.2.3:5000', '--card', 'tcp:127.0.0.1:1'], /no card answers at 127\.0\.0\.1:1/, 3],
  ])('%j', async (args, message, status) => {
    const run = tollcast(...args, '--quiet');
    expect(await run.ended).toBe(status);
    expect(run.said()).toMatch(message);
    expect(run.said().trim().split('\n')).toHaveLength(1);
  });
});
