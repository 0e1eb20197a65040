import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeClip } from '../../../support/streams/test-clip.ts';
import { makePayloads, TestService } from '../../../support/streams/test-service.ts';
import { TOLLCAST } from '../../../support/tollcast-cli.ts';
import { WatchDesk } from '../../../support/watch-desk.ts';

const PAYLOAD = 1316;

const desk = new WatchDesk();

beforeEach(() => desk.open());

afterEach(() => desk.close());

test('a player that stops reading ends the run without an error, and the card settles', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const run = desk.watch('--quiet');
  run.child.stdout!.destroy();
  await sleep(1000);
  for (let i = 0; i < 100 && run.child.exitCode === null; i++) {
    desk.network.keys(service.keys());
    await desk.network.groups(service.seal(makePayloads(10)));
    await sleep(50);
  }
  expect(await run.ended).toBe(0);
  expect(run.said()).toBe('');
});

test.each(['SIGTERM', 'SIGHUP'] as const)('a named pipe that nobody reads is said, and %s ends it', async (signal) => {
  await desk.makeCard(1_000_000n);
  const fifo = join(desk.directory, 'fifo');
  await once(spawn('mkfifo', [fifo], { stdio: 'ignore' }), 'exit');
  const run = desk.watch('--quiet', '--out', fifo);
  while (!run.said().includes('waiting for a player: nobody takes the output; nothing is paid meanwhile\n')) {
    await sleep(20);
    expect(run.child.exitCode).toBe(null);
  }
  run.child.kill(signal);
  expect(await run.ended).toBe(0);
});

test('--quiet still tells the address that players open', async () => {
  await desk.makeCard(1_000_000n);
  const run = desk.watch('--quiet', '--out', 'http://localhost:0/tv');
  while (!/^output to http:\/\/127\.0\.0\.1:\d+\/tv\n/.test(run.said())) {
    await sleep(20);
    expect(run.child.exitCode).toBe(null);
  }
  run.child.kill('SIGTERM');
  expect(await run.ended).toBe(0);
});

test('what was paid before the first picture, and what the player did not take, stand in the bill', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const clip = await makeClip(join(desk.directory, 'clip.ts'), 4);
  const payloads = Array.from({ length: Math.floor(clip.length / PAYLOAD) }, (_none, i) =>
    clip.subarray(i * PAYLOAD, (i + 1) * PAYLOAD),
  );
  const run = desk.watch('--out', 'http://127.0.0.1:0/tv', '--json');
  const address = async () => /output to http:\/\/127\.0\.0\.1:(\d+)\/tv\n/.exec(run.said())?.[1];
  const port = Number(await expect.poll(address).toBeDefined().then(address));
  const player = connect(port, '127.0.0.1').pause();
  player.write(`GET /tv HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  await once(player, 'connect');
  // From the middle of a second on, where no picture is whole.
  const groups = service.seal(payloads);
  await desk.send(run, service, []);
  for (const group of groups.slice(Math.floor(groups.length * 0.4))) {
    await desk.network.groups([group]);
    // As a stream comes: the system is asked now and then what the player has not read.
    await sleep(20);
  }
  await sleep(500);
  player.destroy();
  await sleep(500);
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
  const { lost, withheld, paid } = JSON.parse(run.out().toString()) as Record<string, number>;
  expect([withheld! > 0, lost! > 0, lost! + withheld! <= paid!]).toEqual([true, true, true]);
  expect(run.said()).toContain(`\njoining   ${withheld} octets paid before the first picture that can be shown\n`);
  expect(run.said()).toContain(`\nthrown    ${lost} octets paid, which the player did not take\n`);
});

test('a pipe of the shell gets the stream; a reader that has seen enough ends it, with the bill', async () => {
  await desk.makeCard(1_000_000n);
  const service = new TestService({ cards: [desk.cardId] });
  const at = ['--address', `${desk.network.address}:${desk.network.port}`, '--card', `soft:${desk.state}`, '--yes'];
  const line = `"$@" 2>${desk.directory}/said | head -c 20000 >${desk.directory}/read; exit "\${PIPESTATUS[0]}"`;
  const child = spawn('bash', ['-c', line, 'bash', process.execPath, TOLLCAST, 'watch', ...at], { stdio: 'ignore' });
  desk.children.push(child);
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const sent: Buffer[] = [];
  while (child.exitCode === null) {
    const payloads = makePayloads(10);
    sent.push(...payloads.map((payload) => Buffer.from(payload)));
    desk.network.keys(service.keys());
    await desk.network.groups(service.seal(payloads));
    await sleep(50);
  }
  expect(await ended).toBe(0);
  const read = await readFile(join(desk.directory, 'read'));
  expect(read).toHaveLength(20_000);
  expect(Buffer.concat(sent).includes(read)).toBe(true);
  expect(await readFile(join(desk.directory, 'said'), 'utf8')).toMatch(/\nbill {6}0\.0\d+ USD; balance/);
});
