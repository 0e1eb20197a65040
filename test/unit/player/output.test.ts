import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, get, type IncomingMessage, request, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packets as rtp } from 'rtp.js';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { openOutput } from '../../../host/player/open-output.ts';
import type { Output } from '../../../host/player/output.ts';
import { type ClearPackets, ClearWriter } from '../../../host/stream/opening/clear-packets.ts';
import { writeRtpHeader } from '../../../host/stream/packet/rtp-packet.ts';

const LOOPBACK = '127.0.0.1';
const outputs: Output[] = [];
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-player-'));
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(text: string): Promise<Output> {
  const output = await openOutput(text, LOOPBACK);
  outputs.push(output);
  return output;
}

let sequence = 0;

/** Packets with payloads of these lengths, in memory that is written over as soon as they have been handed over. */
function write(output: Output, ...lengths: readonly number[]): Buffer {
  const writer = new ClearWriter();
  for (const length of lengths) {
    const header = new Uint8Array(12);
    sequence = (sequence + 1) & 0xffff;
    writeRtpHeader(header, { marker: false, payloadType: 33, sequence, timestamp: 90 * sequence, ssrc: 2 });
    writer.reserve(length).set(
      Uint8Array.from({ length }, (_, i) => i * 31 + sequence),
      writer.octets,
    );
    writer.push(header, 12, length);
  }
  const { written } = writer;
  const payload = Buffer.from(written.payload);
  output.write(written);
  written.payload.fill(0xee);
  written.headers.fill(0xee);
  return payload;
}

async function until(what: () => boolean, most = 5000): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    if (tries > most / 10) throw new Error('it does not come to pass');
    await sleep(10);
  }
}

describe('a file', () => {
  test('gets the payload, all of it, in order', async () => {
    const path = join(directory, 'out.ts');
    const output = await openOutput(path, LOOPBACK);
    const sent: Buffer[] = [];
    for (let i = 0; i < 400; i++) {
      sent.push(write(output, 1316, 1316, 700, 1, 1316 * 3));
      if (i % 50 === 0) await sleep(1);
    }
    await output.close();
    expect((await readFile(path)).equals(Buffer.concat(sent))).toBe(true);
  });

  test('with something in it is kept; asked to write over it, only when there is something to write', async () => {
    const path = join(directory, 'older.ts');
    const older = 'an older recording, longer than what comes';
    await writeFile(path, older);
    await expect(openOutput(path, LOOPBACK)).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
      exitStatus: 2,
      message: `${path} is there already, and is kept; name another file with --out, or add --overwrite`,
    });
    const over = { overwrite: true };
    await (await openOutput(path, LOOPBACK, over)).close();
    expect(await readFile(path, 'utf8')).toBe(older);
    const output = await openOutput(path, LOOPBACK, over);
    const payload = write(output, 10);
    await output.close();
    expect((await readFile(path)).equals(payload)).toBe(true);
  });

  test('that is there and empty is written to', async () => {
    const path = join(directory, 'empty.ts');
    await writeFile(path, '');
    const output = await openOutput(path, LOOPBACK);
    const payload = write(output, 10);
    await output.close();
    expect((await readFile(path)).equals(payload)).toBe(true);
  });

  test("that is new is its owner's alone, whatever the umask is", async () => {
    const path = join(directory, 'private.ts');
    const umask = process.umask(0);
    try {
      await open(path);
    } finally {
      process.umask(umask);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('that cannot be opened is refused in one line', async () => {
    await expect(open(join(directory, 'not', 'there'))).rejects.toThrow(
      /^cannot write to .*not\/there \(ENOENT\); name another place with --out$/,
    );
  });

  test('on a full disk ends the output with the reason', async () => {
    const output = await open('/dev/full');
    write(output, 1316);
    await expect(output.ended).resolves.toMatchObject({
      code: 'OUTPUT',
      message: 'there is no room left to write /dev/full; free some, or name another place with --out',
    });
    expect(output.isReady).toBe(false);
    write(output, 1316);
    expect(output.lost).toBe(2 * 1316);
  });

  test('whose reader has seen enough ends without an error', async () => {
    const fifo = await makeFifo();
    const reader = spawn('head', ['-c', '100', fifo], { stdio: 'ignore' });
    const output = await open(fifo);
    const timer = setInterval(() => write(output, 1316), 1);
    await expect(output.ended).resolves.toBeUndefined();
    clearInterval(timer);
    expect(output.isReady).toBe(false);
    expect(reader.pid).toBeGreaterThan(0);
  });

  test('is not ready for more until a slow reader has caught up', async () => {
    const fifo = await makeFifo();
    const reader = spawn('sleep', ['60'], { stdio: [openSync(fifo, 'r+'), 'ignore', 'ignore'] });
    const output = await open(fifo);
    const sent: Buffer[] = [];
    for (let i = 0; output.isReady; i++) sent.push(write(output, 100_000, 100_000));
    let ready = 0;
    output.onReady = () => ready++;
    const reading = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'ignore'] });
    const read: Buffer[] = [];
    reading.stdout.on('data', (chunk: Buffer) => read.push(chunk));
    await until(() => ready === 1);
    await until(() => read.reduce((sum, { length }) => sum + length, 0) === sent.length * 200_000);
    expect(Buffer.concat(read).equals(Buffer.concat(sent))).toBe(true);
    reader.kill();
    reading.kill();
  });

  async function makeFifo(): Promise<string> {
    const path = join(directory, 'fifo');
    await once(spawn('mkfifo', [path], { stdio: 'ignore' }), 'exit');
    return path;
  }
});

describe('datagrams', () => {
  async function received(scheme: 'udp' | 'rtp', lengths: readonly number[]) {
    const socket = createSocket('udp4');
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    const datagrams: Buffer[] = [];
    socket.on('message', (datagram) => datagrams.push(datagram));
    const output = await open(`${scheme}://${LOOPBACK}:${socket.address().port}`);
    const payload = write(output, ...lengths);
    await until(() => datagrams.length === lengths.length);
    socket.close();
    return { datagrams, payload };
  }

  test('by udp are the payloads', async () => {
    const { datagrams, payload } = await received('udp', [1316, 188, 1316]);
    expect(datagrams.map(({ length }) => length)).toEqual([1316, 188, 1316]);
    expect(Buffer.concat(datagrams).equals(payload)).toBe(true);
  });

  test('by rtp are the packets', async () => {
    const { datagrams, payload } = await received('rtp', [1316, 188]);
    const read = datagrams.map(
      (octets) => new rtp.RtpPacket(new DataView(octets.buffer, octets.byteOffset, octets.length)),
    );
    expect(read.map((packet) => [packet.getPayloadType(), packet.getSsrc()])).toEqual([
      [33, 2],
      [33, 2],
    ]);
    expect(read[1]!.getSequenceNumber()).toBe(read[0]!.getSequenceNumber() + 1);
    const payloads = read.map((packet) => packet.getPayload());
    expect(
      Buffer.concat(payloads.map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength))),
    ).toEqual(payload);
  });
});

describe('HTTP', () => {
  async function player(url: string): Promise<{ response: IncomingMessage; read: () => Buffer }> {
    const [response] = (await once(get(url), 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', () => undefined);
    return { response, read: () => Buffer.concat(chunks) };
  }

  test('gives any number of players the stream from where it is; is ready while there is one', async () => {
    const output = await open(`http://${LOOPBACK}:0`);
    let ready = 0;
    output.onReady = () => ready++;
    expect(output.isReady).toBe(false);
    const asked = player(output.where);
    await until(() => output.isReady);
    expect(ready).toBe(1);
    const a = write(output, 1316, 1316);
    const first = await asked;
    expect(first.response.headers['content-type']).toBe('video/mp2t');
    const second = await player(output.where);
    const b = write(output, 1316);
    await until(() => first.read().length === 3 * 1316 && second.read().length === 1316);
    expect(first.read().equals(Buffer.concat([a, b]))).toBe(true);
    expect(second.read().equals(b)).toBe(true);
    first.response.destroy();
    second.response.destroy();
    await until(() => !output.isReady);
  });

  test('a player that does not read misses what the others get, and they miss nothing', async () => {
    const output = await open(`http://${LOOPBACK}:0`);
    const { port, host, pathname } = new URL(output.where);
    const slow = connect(Number(port), LOOPBACK);
    slow.on('error', () => undefined);
    slow.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await until(() => output.isReady);
    const asked = player(output.where);
    await until(() => output.isReady);
    await sleep(50);
    const sent: Buffer[] = [write(output, 1316)];
    const quick = await asked;
    const total = () => sent.reduce((sum, { length }) => sum + length, 0);
    for (let i = 0; i < 150; i++) {
      sent.push(write(output, 100_000, 100_000));
      await until(() => quick.read().length === total() && output.isReady);
    }
    expect(quick.read().equals(Buffer.concat(sent))).toBe(true);
    let read = 0;
    slow.on('data', (chunk: Buffer) => (read += chunk.length));
    slow.resume();
    await sleep(300);
    expect(read).toBeLessThan(4_000_000);
    expect(output.lost).toBe(0);
    slow.destroy();
  });

  test('ends the stream for players when it is closed', async () => {
    const output = await openOutput(`http://${LOOPBACK}:0`, LOOPBACK);
    const asked = player(output.where);
    await until(() => output.isReady);
    const payload = write(output, 1316);
    const { response, read } = await asked;
    const ended = once(response, 'end');
    await output.close();
    await ended;
    expect(read().equals(payload)).toBe(true);
  });

  /** What one request is answered. */
  async function ask(url: string, options: RequestOptions = {}) {
    const asked = request(url, options);
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() };
  }

  test('answers HEAD and OPTIONS without a player, and nothing else', async () => {
    const output = await open(`http://${LOOPBACK}:0`);
    const [head, options, post] = await Promise.all(
      ['HEAD', 'OPTIONS', 'POST'].map((method) => ask(output.where, { method })),
    );
    expect([head!.status, options!.status, post!.status]).toEqual([200, 204, 405]);
    expect([options!.headers.allow, post!.headers.allow]).toEqual(['GET, HEAD, OPTIONS', 'GET, HEAD, OPTIONS']);
    expect(output.isReady).toBe(false);
  });

  test.each([
    ['a browser on this machine', { 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-Mode': 'navigate' }],
    ['one on another, which does not say what it asks for', {}],
  ])('gives a page to %s that opens the address, which takes nothing', async (_, told) => {
    const output = await open(`http://${LOOPBACK}:0`);
    const headers = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8', ...told };
    const page = await ask(output.where, { headers });
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const program = await ask(`${output.where}?mpegts.js`);
    expect([program.status, program.headers['content-type']]).toEqual([200, 'text/javascript; charset=utf-8']);
    const foreign = { ...headers, 'Sec-Fetch-Site': 'cross-site' };
    for (const url of [output.where, `${output.where}?mpegts.js`]) {
      expect((await ask(url, { headers: foreign })).status).toBe(403);
    }
    expect((await ask(`${new URL(output.where).origin}/?mpegts.js`)).status).toBe(404);
    expect(output.isReady).toBe(false);
  });

  test('is at an address that nobody can guess, or at the one that is named; elsewhere it says what to open', async () => {
    const [one, two] = [await open(`http://${LOOPBACK}:0`), await open(`http://${LOOPBACK}:0`)];
    expect(new URL(one.where).pathname).toMatch(/^\/[\w-]{22}$/);
    expect(new URL(one.where).pathname).not.toBe(new URL(two.where).pathname);
    const named = await open(`http://${LOOPBACK}:0/living-room`);
    expect(new URL(named.where).pathname).toBe('/living-room');
    for (const path of ['/', '/living', '/living-room/', '/living-room-2', '//living-room']) {
      const { status, text } = await ask(new URL(named.where).origin + path);
      expect([path, status, text]).toEqual([path, 404, expect.stringContaining('that tollcast watch printed')]);
    }
    expect(named.isReady).toBe(false);
    const asked = [get(named.where), get(`${named.where}?from=a-player`)];
    await until(() => named.isReady);
    for (const each of asked) each.on('error', () => undefined).destroy();
  });

  test.each([
    ['a name that another site gives to this machine', { Host: 'rebound.example:PORT' }],
    ['a name that ends like its own', { Host: 'evil.localhost:PORT' }],
    ['its address with another port', { Host: `${LOOPBACK}:1` }],
    ['no port', { Host: LOOPBACK }],
    ['a page of another origin', { Origin: 'http://evil.example' }],
    ['a page of another port', { Origin: `http://${LOOPBACK}:1` }],
    ['a page without an origin', { Origin: 'null' }],
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a page of another port of this host', { 'Sec-Fetch-Site': 'same-site' }],
  ])('refuses %s with 403, though it knows the whole address', async (_, template) => {
    const output = await open(`http://${LOOPBACK}:0`);
    const { port } = new URL(output.where);
    const headers = Object.fromEntries(Object.entries(template).map(([name, of]) => [name, of.replace('PORT', port)]));
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) {
      const { status, headers: answered, text } = await ask(output.where, { method, headers });
      expect([method, status]).toEqual([method, 403]);
      expect(answered['access-control-allow-origin']).toBeUndefined();
      expect(text).not.toContain(new URL(output.where).pathname.slice(1));
    }
    expect(output.isReady).toBe(false);
  });

  test.each([
    ['a player', {}],
    ['a player that was told localhost', { Host: 'localhost:PORT' }],
    ['a visit of the user', { 'Sec-Fetch-Site': 'none' }],
    ['a page of its own', { 'Sec-Fetch-Site': 'same-origin', Origin: `http://${LOOPBACK}:PORT` }],
  ])('gives the stream to %s', async (_, template) => {
    const output = await open(`http://${LOOPBACK}:0`);
    const { port } = new URL(output.where);
    const headers = Object.fromEntries(Object.entries(template).map(([name, of]) => [name, of.replace('PORT', port)]));
    const asked = get(output.where, { headers });
    await until(() => output.isReady);
    const payload = write(output, 1316);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const [chunk] = (await once(response, 'data')) as [Buffer];
    expect([response.statusCode, chunk.equals(payload)]).toEqual([200, true]);
    asked.on('error', () => undefined).destroy();
  });

  test.each([
    [33, [0x47], 'video/mp2t'],
    [96, [0xff, 0xfb, 0x90], 'audio/mpeg'],
    [96, [0xff, 0xf1, 0x50], 'audio/aac'],
    [96, [0x7b, 0x22], 'application/octet-stream'],
  ])('tells what payload type %i with octets %j is: %s', async (payloadType, octets, type) => {
    const output = await open(`http://${LOOPBACK}:0`);
    const asked = get(output.where);
    await until(() => output.isReady);
    const writer = new ClearWriter();
    writer.reserve(octets.length).set(octets, writer.octets);
    const header = new Uint8Array(12);
    writeRtpHeader(header, { marker: false, payloadType, sequence: 1, timestamp: 0, ssrc: 2 });
    writer.push(header, 12, octets.length);
    output.write(writer.written);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect(response.headers['content-type']).toBe(type);
    expect((await ask(output.where, { method: 'HEAD' })).headers['content-type']).toBe(type);
    asked.on('error', () => undefined).destroy();
  });

  test('lets connections that ask for nothing take neither all descriptors nor the place of a player', async () => {
    const program = `
      import { readFileSync } from 'node:fs';
      import { openOutput } from ${JSON.stringify(new URL('../../../host/player/open-output.ts', import.meta.url).href)};
      const output = await openOutput('http://${LOOPBACK}:0/idle', '${LOOPBACK}');
      console.log(output.where);
      process.stdin.on('data', () => {
        try { readFileSync('/dev/null'); console.log('opened ' + output.isReady); } catch (error) { console.log(error.code); }
      });`;
    const node = [process.execPath, '--input-type=module', '--eval', program];
    const child = spawn('bash', ['-c', 'ulimit -n 64; exec "$@"', 'bash', ...node], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill());
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await until(() => printed.includes('\n'));
    const where = printed.trim();
    const idle = Array.from({ length: 150 }, () => connect(Number(new URL(where).port), LOOPBACK));
    for (const socket of idle) socket.on('error', () => undefined).resume();
    await sleep(500);
    child.stdin.write('\n');
    await until(() => printed.includes('opened') || printed.includes('EMFILE'));
    expect(printed).toContain('opened false');
    // Those that stay silent are cut off, and a player finds a place.
    await until(() => idle.every(({ closed }) => closed), 15_000);
    const playing = get(where).on('error', () => undefined);
    await until(() => {
      child.stdin.write('\n');
      return printed.includes('opened true');
    });
    playing.destroy();
  });

  test('says in one line that the port is taken', async () => {
    const taken = createServer().listen(0, LOOPBACK);
    await once(taken, 'listening');
    const address = taken.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await expect(open(`http://${LOOPBACK}:${port}`)).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: `TCP port ${port} of 127.0.0.1 is taken by another program; stop it, or choose another port`,
    });
    taken.close();
  });
});

test.each([
  ['udp://example.org:5000', '"example.org" is not an IPv4 address or localhost'],
  ['udp://1.2.3.4', 'its port is not a number from 1 to 65535'],
  ['udp://1.2.3.4:0', 'its port is not a number from 1 to 65535'],
  ['udp://1.2.3.4:5000/name', 'nothing may follow the port of udp'],
  ['rtp://1.2.3.4:70000', 'its port is not a number from 1 to 65535'],
  ['rtp://1.2.3.4:x', 'its port is not a number from 1 to 65535'],
  ['ftp://1.2.3.4:5', 'there is no output by ftp'],
  ['http://1.2.3:80', '"1.2.3" is not an IPv4 address or localhost'],
  ['http://127.0.0.1:70000', 'its port is not a number from 0 to 65535'],
  ['http://127.0.0.1:0/..', 'its path has more than'],
  ['http://127.0.0.1:0/a/../b', 'its path has more than'],
  ['http://127.0.0.1:0/a//b', 'its path has more than'],
  ['http://127.0.0.1:0/a?b', 'its path has more than'],
  ['', 'it is empty'],
])('"%s" is not an output, and it is said why', async (text, why) => {
  await expect(openOutput(text, LOOPBACK)).rejects.toThrow(OutOfRangeError);
  await expect(openOutput(text, LOOPBACK)).rejects.toThrow(`"${text}" is not an output, as ${why}`);
});

test('localhost is this machine, and a path may have several parts', async () => {
  const output = await open('http://localhost:0/tv/one.ts');
  expect(output.where).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/tv\/one\.ts$/);
  const playing = get(output.where.replace('127.0.0.1', 'localhost'), { family: 4 }).on('error', () => undefined);
  await until(() => output.isReady);
  playing.destroy();
  const datagrams = await open('udp://localhost:5000');
  expect(datagrams.where).toBe('udp://127.0.0.1:5000');
});

test('packets handed to a sink are valid only until it returns', () => {
  const writer = new ClearWriter();
  writer.reserve(3).set([1, 2, 3], writer.octets);
  writer.push(new Uint8Array(12), 12, 3);
  const clear: ClearPackets = writer.written;
  writer.clear();
  writer.reserve(3).set([4, 5, 6]);
  expect(clear.payload).toEqual(Uint8Array.of(4, 5, 6));
});
