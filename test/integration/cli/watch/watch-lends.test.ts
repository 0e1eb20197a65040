import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CardKind, type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

let directory: string;
let env: NodeJS.ProcessEnv;
let card: SimulatedCard | undefined;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-lends-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await card?.close();
  card = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runTollcast([...args, '--json'], { cwd: directory, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

interface Started {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly out: () => string;
}

function start(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [TOLLCAST, ...args], { cwd: directory, env });
  children.push(child);
  let said = '';
  let out = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  return { child, said: () => said, out: () => out };
}

async function until(what: () => boolean, why: () => string): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    if (tries > 2_000) throw new Error(`it does not come to pass: ${why()}`);
    await sleep(10);
  }
}

describe.each<CardKind>(['soft', 'pcsc'])('while watch plays with a card over %s', { timeout: 120_000 }, (kind) => {
  test('the other commands work through it, and it is charged for what it played and no more', async () => {
    card = kind === 'soft' ? undefined : await startCard({ kind });
    // A card in a reader brings the name of pcscd's socket.
    const own = { TOLLCAST_PASSPHRASE: 'of this test alone', TOLLCAST_PIN: '1234', XDG_RUNTIME_DIR: directory };
    env = { ...process.env, ...own };
    const at = ['--card', card?.address ?? 'soft:my.card'];
    await json('issuer', 'init', '--id', '0A1B2C');
    const { card: id } = await json('issuer', 'personalise', ...at, '--wait');
    await json('issuer', 'load', ...at, '--amount', '5.00 USD');

    const source = randomBytes(4_000_000);
    await writeFile(join(directory, 'source'), source);
    const address = ['--address', `239.255.79.1:${await findFreePort()}`];
    const watch = start('watch', ...address, ...at, '--out', 'out', '--json', '--yes');
    await until(() => watch.said().includes('listening'), watch.said);
    const grant = ['--grant', String(id), '--price', '0.25 USD/MB', '--every', '10'];
    const headend = start('headend', 'send', '--source', 'source', '--rate', '1000000', ...address, ...grant);
    await until(
      () => watch.said().includes('playing'),
      () => watch.said() + headend.said(),
    );

    const info = await json('card', 'info', ...at);
    expect(info).toMatchObject({ card: id, balance: expect.any(Number) as number, receiptsWritten: 0 });
    expect(await json('issuer', 'load', ...at, '--amount', '2.00 USD')).toMatchObject({ amount: 2_000_000 });
    const { records } = (await json('card', 'log', ...at)) as { records: { loadWas: string | null }[] };
    expect(records.some(({ loadWas }) => loadWas === 'load')).toBe(true);
    // It needs the secure channel: the card closes its session, which makes a receipt, and watch opens it again.
    await json('issuer', 'pin', ...at);
    const { receipts } = (await json('issuer', 'collect', ...at)) as { receipts: { amount: number }[] };
    expect(receipts).toHaveLength(1);
    expect(await json('card', 'info', ...at)).toMatchObject({ loaded: 7_000_000, receiptsDue: 0, pinTries: 3 });

    expect(watch.child.exitCode).toBe(null);
    await sleep(500);
    headend.child.kill('SIGTERM');
    await until(() => watch.child.exitCode !== null, watch.said);
    const bill = JSON.parse(watch.out()) as Record<string, number>;
    const received = await readFile(join(directory, 'out'));
    expect(received.equals(source.subarray(0, received.length))).toBe(true);
    expect(bill).toMatchObject({ end: 'BYE', paid: received.length, missing: 0, torn: 0 });
    // Each of two receipts rounds up to a micro-unit.
    const exact = Math.ceil(received.length / 4);
    expect([exact, exact + 1]).toContain(bill['charged']);
    expect(bill['balance']).toBe(7_000_000 - bill['charged']!);
    expect(watch.said()).not.toContain('waiting for the card');
  });
});
