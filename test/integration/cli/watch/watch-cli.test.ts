import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeCardLimits, NO_LIMITS } from '../../../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { encodeVerificationKey } from '../../../../apdu/decode-module/keys/verification-key.ts';
import { DGI } from '../../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { openConfirm } from '../../../../apdu/decode-module/requests/confirm.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { startCard } from '../../../../card-sim/index.ts';
import { deriveTestCardKey, LOOPBACK, makePayloads, TestService } from '../../../support/streams/test-service.ts';
import { WatchDesk } from '../../../support/watch-desk.ts';

const OCTETS = 10 * 1316;

const desk = new WatchDesk();

beforeEach(() => desk.open());

afterEach(() => desk.close());

test('passes the stream on and ends with the bill', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const run = desk.watch();
  const payloads = makePayloads(100);
  await desk.send(run, service, payloads);
  await sleep(200);
  desk.network.rtcp(service.goodbye());
  expect(await run.ended).toBe(0);
  expect(run.out().equals(Buffer.concat(payloads))).toBe(true);
  expect(run.said()).toContain('card 0a1b2c-02-00000003, balance 1.00 USD\n');
  expect(run.said()).toMatch(/\nfirst plaintext \d+ ms after joining\n/);
  expect(run.said()).toMatch(
    /\nthe sender ended the stream\ncounted {3}131600 octets in 10 groups paid, 131600 octets in 100 packets received, 0 octets missing\nbill {6}0\.0329 USD; balance 0\.9671 USD\n$/,
  );
});

test('hears the source that is named, and nobody else', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const stranger = createSocket('udp4');
  stranger.bind(0, '127.0.0.66');
  await once(stranger, 'listening');
  stranger.setMulticastInterface(LOOPBACK);
  const run = desk.watch('--source', '192.0.2.9', '--source', LOOPBACK, '--out', '/dev/null', '--json');
  await desk.send(run, service, makePayloads(20));
  for (let i = 0; i < 20; i++) stranger.send(Uint8Array.of(i), desk.network.port, desk.network.address);
  await desk.network.groups(service.seal(makePayloads(20)));
  await sleep(200);
  stranger.close();
  desk.network.rtcp(service.goodbye());
  expect(await run.ended).toBe(0);
  const bill = JSON.parse(run.out().toString()) as { received: number; drops: Record<string, number> };
  expect(bill.received).toBe(4 * OCTETS);
  expect(Object.values(bill.drops).filter((count) => count > 0)).toEqual([]);
});

test.each([
  [['--source', '239.1.2.3'], /"239\.1\.2\.3" is not the address of a sender; write its IPv4 address/],
  [Array.from({ length: 9 }, () => ['--source', LOOPBACK]).flat(), /--source was given more than 8 times/],
])('%j is refused', async (args, says) => {
  const run = desk.watch(...args);
  expect(await run.ended).toBe(2);
  expect(run.said()).toMatch(says);
});

test('Ctrl-C settles, and the bill is there for programs', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const file = join(desk.directory, 'out.ts');
  const run = desk.watch('--out', file, '--json');
  const payloads = makePayloads(20);
  await desk.send(run, service, payloads);
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
  await using card = await startCard({ kind: 'soft', state: desk.state });
  const module = new DecodeModule(await card.channel());
  await module.select();
  expect(await module.getPurse()).toMatchObject({ receiptsWritten: 1, torn: 0n, taken: 0n });
});

test.each([
  ['of today', 0, 'wait for the next day, or type: '],
  [
    'that a wrong clock put years ahead',
    1500,
    /the card is at 20\d\d-\d\d-\d\d, as a stream once said, and the limit holds/,
  ],
])('a spend limit of a day %s says what helps', async (_name, ahead, says) => {
  await desk.makeCard(1_000_000n);
  await desk.administer((secure) =>
    secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, spendLimit: 4000n }), false),
  );
  const start = Math.floor(Date.now() / 1000) + ahead * 86_400;
  const service = new TestService({ cards: [desk.cardId], quantum: 1000n, start });
  const run = desk.watch('--quiet');
  for (let tries = 0; run.child.exitCode === null && tries < 100; tries++) {
    desk.network.keys(service.keys());
    await desk.network.groups(service.seal(makePayloads(10)));
    await sleep(100);
  }
  expect(await run.ended).toBe(6);
  expect(run.said()).toMatch(says);
});

test('a second watch on a card says which process has it', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const first = desk.watch();
  const payloads = makePayloads(20);
  await desk.send(first, service, payloads);
  const second = desk.watch();
  expect(await second.ended).toBe(4);
  expect(second.said()).toContain(`the card is in use by tollcast watch (process ${first.child.pid}); end that first`);
  first.child.kill('SIGINT');
  expect(await first.ended).toBe(0);
  expect(first.out().equals(Buffer.concat(payloads))).toBe(true);
});

test('a stream of which the card opens nothing is a failure', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [] });
  const run = desk.watch();
  await desk.send(run, service, makePayloads(20));
  await sleep(200);
  desk.network.rtcp(service.goodbye());
  expect(await run.ended).toBe(1);
  expect(run.out()).toHaveLength(0);
  expect(run.said()).toMatch(/and nothing of it was opened: card 0a1b2c-02-00000003 had no key for what came; ask/);
});

test('a sender that does not run is said', async () => {
  await desk.makeCard(1_000_000n);
  const run = desk.watch('--out', join(desk.directory, 'out'));
  await vi.waitFor(() => expect(run.said()).toContain('waiting for keys: nothing comes; check that the sender runs'), {
    timeout: 20_000,
  });
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
});

test('without credit the run ends with price, balance and what to type', async () => {
  await desk.makeCard(4000n);
  const service = new TestService({ cards: [desk.cardId], quantum: 1000n });
  const run = desk.watch('--quiet');
  for (let tries = 0; run.child.exitCode === null && tries < 100; tries++) {
    desk.network.keys(service.keys());
    await desk.network.groups(service.seal(makePayloads(10)));
    await sleep(100);
  }
  expect(await run.ended).toBe(6);
  expect(run.said()).toBe(
    `tollcast: not enough credit, price 0.25 USD/MB, balance 0.00071 USD; ` +
      `type: tollcast issuer load --card soft:${desk.state} --amount "5.00 USD"\n`,
  );
  expect(run.out().length).toBe(OCTETS);
});

test('a card that wants its PIN opens the stream only with it; confirms and trusted signers are kept', async () => {
  await desk.makeCard(1_000_000n);
  await desk.administer(async (secure) => {
    await secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, pinForSessions: true }), false);
    await secure.storeData(DGI.pin, encodePin('1234'), false);
    const signer = { id: 7, key: new Uint8Array(32).fill(9) };
    await secure.storeData(DGI.verificationKey, encodeVerificationKey(0, signer), false);
  });
  const service = new TestService({ cards: [desk.cardId] });
  const payloads = makePayloads(10);
  const refused = desk.watch('--out', join(desk.directory, 'none'));
  await desk.send(refused, service, payloads);
  expect(await refused.ended).toBe(5);
  expect(refused.said()).toMatch(/tollcast: this card opens nothing without its PIN; start again with --pin\n$/);

  await writeFile(join(desk.directory, 'wrong'), '9999');
  const wrong = desk.watch('--quiet', '--pin-file', join(desk.directory, 'wrong'));
  expect(await wrong.ended).toBe(5);
  expect(wrong.said()).toBe('tollcast: wrong PIN, 2 tries are left; type it again\n');

  await writeFile(join(desk.directory, 'pin'), '1234\n');
  const confirms = join(desk.directory, 'confirms');
  const out = ['--out', join(desk.directory, 'out'), '--json'];
  const run = desk.watch('--pin-file', join(desk.directory, 'pin'), '--confirms', confirms, ...out);
  await desk.send(run, service, payloads);
  await sleep(300);
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
  expect(run.said()).toContain('card 0a1b2c-02-00000003, balance 1.00 USD, trusts signer 7 and no other\n');
  expect(JSON.parse(run.out().toString())).toMatchObject({ packets: 10, trusted: [7] });
  const [confirm, ...others] = (await readFile(confirms, 'utf8')).trim().split('\n');
  expect(others).toEqual([]);
  expect(openConfirm(fromHex(confirm!), deriveTestCardKey('uplink', desk.cardId))).toMatchObject({
    cardId: desk.cardId,
    service: 7,
    keyId: 1,
  });
});

test('--trace shows what the card is asked and says, without PIN and group keys', async () => {
  await desk.makeCard(1_000_000n);
  await desk.administer(async (secure) => {
    await secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, pinForSessions: true }), false);
    await secure.storeData(DGI.pin, encodePin('1234'), false);
  });
  await writeFile(join(desk.directory, 'pin'), '1234');
  const service = new TestService({ cards: [desk.cardId] });
  const run = desk.watch('--trace', '--pin-file', join(desk.directory, 'pin'));
  await desk.send(run, service, makePayloads(10));
  while (run.out().length < OCTETS) await sleep(20);
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
  expect(run.said()).toMatch(/^> 00 A4 04 00 .* {2}SELECT\n< .* {2}9000 done \(\d+\.\d ms\)$/m);
  expect(run.said()).toMatch(/^> 80 20 00 00 08( \.\.){8} 00 {2}VERIFY\n< 9000 done /m);
  expect(run.said()).toMatch(/^> 80 4\w( \w\w)+ {2}GET PURSE$/m);
  // Of the card part the header alone is shown, and of the answer nothing.
  expect(run.said()).toMatch(/^> 80 \w\w 00 00 \w\w( \w\w){32}( \.\.)+( 00)? {2}DECODE\n<( \.\.)+ {2}9000 done /m);
});

test('a full disk under the file for confirms ends the run, with the bill', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const run = desk.watch('--confirms', '/dev/full');
  await desk.send(run, service, makePayloads(10));
  expect(await run.ended).toBe(1);
  expect(run.said()).toMatch(/\nbill {6}.*balance/);
  expect(run.said()).toContain('tollcast: there is no room left to write /dev/full; free some, or name another file');
});

test('--wait-for-credit waits, and settles when it is stopped', async () => {
  await desk.makeCard(1000n);
  const service = new TestService({ cards: [desk.cardId], quantum: 1000n });
  const run = desk.watch('--wait-for-credit');
  await desk.send(run, service, makePayloads(10));
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
    const run = desk.tollcast(...args, '--quiet');
    expect(await run.ended).toBe(status);
    expect(run.said()).toMatch(message);
    expect(run.said().trim().split('\n')).toHaveLength(1);
  });
});
