import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeCardId, formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { decodeCeilings } from '../../../../apdu/decode-module/keys/ceilings.ts';
import { decodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { type IssuerFixture, PASSPHRASE, startIssuer } from '../../../support/issuer-fixture.ts';
import { makeTransportStream } from '../../../support/streams/transport-stream.ts';
import { TOLLCAST } from '../../../support/tollcast-cli.ts';

const CARD = encodeCardId({ issuer: 0xabcdef, moduleClass: 'card', serial: 5 });

let issuer: IssuerFixture;
let downlinkKey: Uint8Array;
let directory: string;
let file: string;
let capture: ServiceCapture;
const source = randomBytes(400_000);

beforeAll(async () => {
  issuer = await startIssuer(0xabcdef);
  downlinkKey = deriveCardKey(await issuer.keys.open('unique'), 'downlink', CARD);
  await issuer.accounts.addCard({ moduleClass: 'card', serial: 5, currency: 840, maximumBalance: 1n }, 0);
  directory = await mkdtemp(join(tmpdir(), 'tollcast-headend-cli-'));
  file = join(directory, 'source');
  await writeFile(file, source);
});

afterAll(async () => {
  await issuer.close();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  capture = await ServiceCapture.start();
});

afterEach(() => capture.close());

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function headend(...args: readonly (readonly string[])[]): Run {
  const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  const child = spawn(process.execPath, [TOLLCAST, 'headend', ...args.flat()], { env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, ended };
}

const to = () => ['--address', `${capture.address}:${capture.port}`];
const granted = () => ['--grant', formatCardId(CARD), '--store', issuer.store];

describe('send', () => {
  test('sends a file to a granted card, and ends with one line of JSON', async () => {
    const { ended } = headend(
      ['send', '--source', file, ...to(), '--price', '0.25 USD/MB', '--every', '10', '--span', '32'],
      [...granted(), '--quantum', '0.10', '--service', '9', '--speed', '5', '--json'],
    );
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(2);
    const { unwrapped, groups } = capture.open(9, downlinkKey);
    const payloads = groups.flatMap((opened) => opened.payloads);
    expect(Buffer.concat(payloads).equals(source)).toBe(true);
    expect(JSON.parse(stdout)).toEqual({
      service: 9,
      address: capture.address,
      port: capture.port,
      keyPort: capture.port + 2,
      format: 'data',
      octets: 400_000,
      duration: 320,
      packets: payloads.length,
      groups: groups.length,
      contentKeys: 1,
      segments: 1,
      seconds: expect.any(Number) as number,
    });
    expect(decodeCeilings(unwrapped[0]!.body)).toMatchObject({
      perMegabyte: 250_000n,
      quantum: 100_000n,
      currency: 840,
    });
    expect(unwrapped[0]).toMatchObject({ kind: 0x10, parentId: 5 });
    expect(stderr).toContain('0.25 USD/MB');
    expect(stderr).toContain('400000 octets');
    // No key in what is printed.
    for (const { key } of unwrapped) expect(stdout + stderr).not.toContain(key.toString('hex'));
  });

  test('sends standard input in mode strict, with its keys to a port of their own', async () => {
    const clip = makeTransportStream(
      Array.from({ length: 500 }, (_none, i) => (i % 20 === 0 ? { pcr: (i / 20) * 810_000 } : { pid: 5 })),
    );
    // The port that was RTCP's may not have the keys; that after the next may.
    const { child, ended } = headend(
      ['send', '--source', '-', ...to(), '--key-port', `${capture.port + 3}`, '--price', '2 USD/h'],
      ['--mode', 'strict', '--accept', 'card', '--rating', '16', ...granted(), '--speed', '3', '--json'],
    );
    const keys = createSocket('udp4');
    const datagrams: Uint8Array[] = [];
    keys.on('message', (datagram) => datagrams.push(datagram)).bind(capture.port + 3, capture.address);
    await once(keys, 'listening');
    keys.addMembership(capture.address, '127.0.0.1');
    child.stdin!.end(clip);
    const { code, stdout } = await ended;
    keys.close();
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      format: 'ts',
      octets: clip.length,
      packets: 500,
      groups: 500,
      duration: 750,
    });
    expect(capture.keys).toEqual([]);
    capture.keys.push(...datagrams);
    const { unwrapped, groups } = capture.open(1, downlinkKey);
    expect(Buffer.concat(groups.flatMap(({ payloads }) => payloads)).equals(clip)).toBe(true);
    expect(groups.every(({ kind }) => kind === 0x21)).toBe(true);
    const content = unwrapped.find(({ kind }) => kind === 0x12)!;
    expect(decodeContentTerms(content.body)).toMatchObject({
      tariff: { kind: 'duration', price: 2_000_000n },
      rating: 16,
      classes: { card: true, soft: false },
    });
  });

  test.each([
    ['says no goodbye, as it may come back', [], false],
    ['with --end-at-stop says goodbye', ['--end-at-stop'], true],
  ])('receives by UDP until it is interrupted, and then %s', async (_name, more, isOver) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    const { child, ended } = headend(
      ['send', '--source', `udp://127.0.0.1:${port}`, ...to(), '--price', 'free', '--format', 'data'],
      [...granted(), ...more],
    );
    const feeder = createSocket('udp4');
    const sent: Uint8Array[] = [];
    while (capture.media.length === 0) {
      const datagram = randomBytes(1316);
      feeder.send(datagram, port, '127.0.0.1');
      sent.push(datagram);
      await sleep(20);
    }
    await sleep(500);
    feeder.close();
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(stderr).toContain('stopped');
    expect(code).toBe(0);
    expect(capture.control.length > 0).toBe(isOver);
    expect(stderr.includes('viewers wait for the service to come back')).toBe(!isOver);
    const { groups } = capture.open(1, downlinkKey);
    const opened = Buffer.concat(groups.flatMap(({ payloads }) => payloads));
    // What it was sent before it listened is not in it.
    expect(Buffer.concat(sent).subarray(-opened.length).equals(opened)).toBe(true);
  });

  test('sends lines of standard input one by one as they come, and at a stop what waits', async () => {
    const { child, ended } = headend(['send', '--source', '-', ...to(), '--price', '2 USD/h', '--json'], granted());
    await once(child.stderr!, 'data');
    child.stdin!.write('AAA 1.00\n');
    while (capture.media.length === 0) await sleep(20);
    const lines = Array.from({ length: 5 }, (_none, i) => `${'B'.repeat(100 * i + 1)} ${i}\n`);
    for (const line of lines) child.stdin!.write(line);
    child.stdin!.write('CCC');
    await sleep(100);
    child.kill('SIGTERM');
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ format: 'lines' });
    const { groups } = capture.open(1, downlinkKey);
    const payloads = groups.flatMap((opened) => opened.payloads.map(String));
    expect(payloads).toEqual(['AAA 1.00\n', ...lines, 'CCC']);
  });

  test('a second head-end that would number the keys of the same service is refused, and names the first', async () => {
    const first = headend(['send', '--source', '-', ...to(), '--price', 'free', '--service', '9'], granted());
    await once(first.child.stderr!, 'data');
    const args = ['send', '--source', file, ...to(), '--price', 'free'];
    const { code, stderr } = await headend(args, ['--service', '9'], granted()).ended;
    expect(stderr).toMatch(new RegExp(`service 9 is being sent by process ${first.child.pid};.*--service`));
    expect(code).toBe(4);
    first.child.kill('SIGTERM');
    await first.ended;
    const again = await headend(args, ['--service', '9', '--speed', '10', '--lead', '0'], granted()).ended;
    expect(again.code).toBe(0);
  });

  test('says that a rate does not fit', async () => {
    const clip = join(directory, 'clip.ts');
    // 376 kbit/s.
    const plans = Array.from({ length: 2500 }, (_none, i) => (i % 20 === 0 ? { pcr: i * 108_000 } : { pid: 5 }));
    await writeFile(clip, makeTransportStream(plans));
    const { code, stderr } = await headend([
      'send',
      '--source',
      clip,
      ...to(),
      '--price',
      'free',
      '--rate',
      '8000000',
      '--lead',
      '0',
    ]).ended;
    expect(code).toBe(0);
    expect(stderr).toContain('--rate 8000000 does not fit, the source has 376000 bit/s');
  });

  test('an empty source is an error', async () => {
    await writeFile(join(directory, 'empty'), '');
    const { code, stdout, stderr } = await headend(
      ['send', '--source', join(directory, 'empty'), ...to(), '--price', 'free', '--json'],
      ['--lead', '0'],
    ).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const { error } = JSON.parse(stderr.trimEnd().split('\n').at(-1)!) as { error: Record<string, unknown> };
    expect(error).toEqual({
      code: 'EMPTY_SOURCE',
      message: expect.stringMatching(/empty was empty, nothing was sent; name another --source$/) as unknown,
      exitStatus: 1,
    });
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s also ends a wait for standard input', async (signal) => {
    const { child, ended } = headend(['send', '--source', '-', ...to(), '--price', 'free']);
    await once(child.stderr!, 'data');
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 0, stdout: '' });
  });
});

describe('refuses in one line, with the range or what to do', () => {
  const least = () => ['send', '--source', file, ...to(), '--price', 'free'];

  test.each<[string, string[], RegExp]>([
    ['n = 0', ['--every', '0'], /from 1 to 2000/],
    ['n = 2,001', ['--every', '2001'], /from 1 to 2000/],
    ['a span of 8', ['--span', '8'], /from 16 to 208/],
    ['a span of 100', ['--span', '100'], /16 to 208 octets in steps of 16/],
    ['an unknown mode', ['--mode', 'secret'], /sealed, open, strict/],
    ['a closing time of 0', ['--closing-time', '0'], /from 200 to 1000/],
    ['a key period of 5 s', ['--key-period', '5'], /from 20 to 86400/],
    ['a segment of 1 s', ['--segment', '1'], /from 20 to/],
    ['a price that does not fit', ['--price', '5000 USD/MB'], /4294\.967295 USD/],
    ['a price without a unit', ['--price', '5 USD'], /write "0\.25 USD\/MB"/],
    ['an odd port', ['--address', '239.1.1.1:5001'], /even port from 2 to 65532/],
    ['an address without a port', ['--address', '239.1.1.1'], /even port from 2 to 65532/],
    ['a service of 0', ['--service', '0'], /from 1 to 4294967295/],
    ['a speed of 0', ['--speed', '0'], /from 0\.1 to 1000/],
    ['strict with a span', ['--mode', 'strict', '--span', '64'], /leave out --every and --span/],
    ['a quantum of 0', ['--price', '1 USD/MB', '--quantum', '0'], /0\.000001 USD or more/],
    ['a quantum of what is free', ['--quantum', '0.10'], /leave out --quantum/],
    ['a card of a class that is refused', ['--accept', 'card', '--grant', '0a1b2c-02-00000001'], /is of class soft/],
    ['a card id', ['--grant', 'abc'], /write it as tollcast shows it/],
    [
      'a card that was never issued',
      ['--store', 'ours', '--grant', 'abcdef-01-00000077'],
      /was not issued from .*check its id/,
    ],
    [
      'a price in another currency',
      ['--store', 'ours', '--price', '3 JPY/MB', '--grant', formatCardId(CARD)],
      /holds USD, and the price is in JPY/,
    ],
    ['a store that is not there', ['--grant', formatCardId(CARD), '--store', 'nowhere'], /--store/],
    ['a file that is not there', ['--source', 'nowhere.ts'], /name a file that is there/],
    ['a key port that is taken', ['--key-port', '1'], /--key-port/],
    ['an unknown option', ['--evry', '5'], /unknown option '--evry'/],
    ['an interface', ['--interface', '192.0.2.1'], /--interface/],
  ])('%s', async (_name, wrong, message) => {
    const meant = new Map([
      ['ours', issuer.store],
      ...(wrong[0] === '--key-port' ? [['1', `${capture.port + 1}`] as const] : []),
    ]);
    const args = wrong.map((arg) => meant.get(arg) ?? arg);
    const { code, stdout, stderr } = await headend(least(), args).ended;
    const lines = stderr.trimEnd().split('\n');
    expect(lines.at(-1)).toMatch(message);
    expect(lines.at(-1)).toMatch(/^tollcast: /);
    expect(stdout).toBe('');
    expect(code).toBeGreaterThan(0);
    expect(capture.media).toEqual([]);
  });
});
