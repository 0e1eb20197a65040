import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromHex } from '../../../../apdu/octets.ts';
import { SoftCard, startCard } from '../../../../card-sim/index.ts';
import { PrivatePcscd } from '../../../../card-sim/simulator/private-pcscd.ts';
import { TcpCardServer } from '../../../support/cards/tcp-card-server.ts';
import { VpcdCard } from '../../../support/cards/vpcd-card.ts';
import { makePayloads, personalise, TestNetwork, TestService } from '../../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

const ATR = fromHex('3b80800101');
const OCTETS = 10 * 1316;
const CREDIT = 1_000_000n;

/** A reader or a runner with a soft card inside, which can stand still. */
interface Stall {
  readonly address: string;
  isStill: boolean;
  close(): Promise<void>;
}

let directory: string;
let network: TestNetwork;
let stall: Stall | undefined;
let child: ChildProcess | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-stall-'));
  network = await TestNetwork.open();
});

afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await stall?.close();
  stall = undefined;
  await network.close();
  await rm(directory, { recursive: true, force: true });
});

async function overTcp(card: SoftCard): Promise<Stall> {
  const server = await TcpCardServer.listen((payload) => {
    if (payload.length > 1) return made.isStill ? undefined : card.transmit(payload);
    if (payload[0] === 0) card.powerOff();
    if (payload[0] === 1) card.powerOn();
    return payload[0] === 4 && !made.isStill ? ATR : undefined;
  });
  const made: Stall = { address: `tcp:127.0.0.1:${server.port}`, isStill: false, close: () => server.close() };
  return made;
}

async function overPcsc(card: SoftCard): Promise<Stall> {
  const pcscd = await PrivatePcscd.start();
  card.powerOn();
  const answer = async (command: Uint8Array) => (made.isStill ? undefined : card.transmit(command));
  const inserted = await VpcdCard.insert({ port: pcscd.ports[0], atr: ATR, answer });
  const made: Stall = {
    address: 'pcsc',
    isStill: false,
    async close() {
      inserted.pull();
      await pcscd.stop();
    },
  };
  return made;
}

async function makeCard(): Promise<{ card: SoftCard; cardId: Uint8Array }> {
  await using made = await startCard({ kind: 'soft' });
  const cardId = await personalise(made, 3, CREDIT);
  let kept: Uint8Array | undefined = made.memory!.read();
  const store = { load: () => kept, save: (image: Uint8Array) => void (kept = image.slice()) };
  return { card: new SoftCard(store), cardId };
}

describe.each([
  ['a runner that stands still', overTcp],
  ['a reader that does not answer', overPcsc],
] as const)('%s', { timeout: 60_000 }, (_, start) => {
  test('is told of by watch, which ends on the first signal with what it counted', async () => {
    const { card, cardId } = await makeCard();
    stall = await start(card);
    const service = new TestService({ cards: [cardId] });
    const file = join(directory, 'out.ts');
    const at = ['--address', `${network.address}:${network.port}`, '--card', stall.address, '--wait', '--yes'];
    const run = spawn(process.execPath, [TOLLCAST, 'watch', ...at, '--out', file, '--json']);
    child = run;
    let said = '';
    let out = '';
    run.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    run.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const until = async (what: string): Promise<void> => {
      for (let tries = 0; !said.includes(what); tries++) {
        if (tries > 2_000) throw new Error(`it does not say "${what}": ${said}`);
        await sleep(10);
      }
    };
    await until('waiting for keys');
    const payloads = makePayloads(20);
    for (let i = 0; i < 4; i++) {
      network.keys(service.keys());
      await sleep(50);
    }
    await network.groups(service.seal(payloads));
    await until('playing');
    await sleep(300);
    stall.isStill = true;
    await network.groups(service.seal(makePayloads(10)));
    await until('waiting for the card: the card has not answered for 2 s;');

    const signalled = performance.now();
    run.kill('SIGINT');
    const [code] = (await once(run, 'exit')) as [number | null];
    expect(performance.now() - signalled).toBeLessThan(6_000);
    expect(code).toBe(0);
    expect(said).toContain(`counted   ${2 * OCTETS} octets in 2 groups paid`);
    expect(said).toMatch(/bill {6}the card is not here, or does not answer; it settles when it is next opened\n$/);
    expect(JSON.parse(out)).toMatchObject({ end: 'STOPPED', paid: 2 * OCTETS, received: 2 * OCTETS, groups: 2 });
    expect((await readFile(file)).equals(Buffer.concat(payloads))).toBe(true);
  });
});

test('watch ends on the first signal, too, while it opens the card', { timeout: 30_000 }, async () => {
  const { card } = await makeCard();
  const reader = await overPcsc(card);
  stall = reader;
  const { env } = process;
  expect((await runTollcast(['card', 'info', '--card', reader.address, '--wait'], { env })).code).toBe(0);
  reader.isStill = true;
  const at = ['--address', `${network.address}:${network.port}`, '--card', reader.address];
  const run = spawn(process.execPath, [TOLLCAST, 'watch', ...at, '--out', join(directory, 'out')], { env });
  child = run;
  let said = '';
  run.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(run, 'exit') as Promise<[number | null]>;
  while (!said.includes('output to')) await sleep(10);
  await sleep(500); // the reader is asked now
  const signalled = performance.now();
  run.kill('SIGINT');
  expect((await ended)[0]).toBe(0);
  expect(performance.now() - signalled).toBeLessThan(5_000);
});

test('another command ends after 10 s with what to do, over PC/SC and over TCP', { timeout: 60_000 }, async () => {
  const { card } = await makeCard();
  const reader = await overPcsc(card);
  stall = reader;
  const { env } = process;
  // The reader shows its card within half a second.
  expect((await runTollcast(['card', 'info', '--card', reader.address, '--wait'], { env })).code).toBe(0);
  reader.isStill = true;
  const server = await TcpCardServer.listen((payload) => (payload.length === 1 && payload[0] === 4 ? ATR : undefined));
  try {
    const addresses = [reader.address, `tcp:127.0.0.1:${server.port}`];
    const runs = await Promise.all(addresses.map((at) => runTollcast(['card', 'info', '--card', at], { env })));
    for (const { code, stderr } of runs) {
      expect(stderr).toMatch(/^tollcast: the card has not answered for 10 s; take it out and insert it again/);
      expect(code).toBe(7);
    }
  } finally {
    await server.close();
  }
});
