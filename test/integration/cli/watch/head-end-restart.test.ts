import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { type IssuerFixture, PASSPHRASE, startIssuer } from '../../../support/issuer-fixture.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

const CARD = '0a1b2c-02-00000001';
const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };

let issuer: IssuerFixture;
let folder: string;
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await issuer.close();
  await rm(folder, { recursive: true, force: true });
});

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [TOLLCAST, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, ended, said: () => said };
}

test('a live head-end is stopped and started again under a watch; a programme that ends ends it', async () => {
  issuer = await startIssuer(0x0a1b2c);
  folder = await mkdtemp(join(tmpdir(), 'tollcast-restart-'));
  const card = ['--card', `soft:${join(folder, 'card')}`, '--store', issuer.store];
  for (const args of [
    ['personalise', ...card, '--serial', '1'],
    ['load', ...card, '--amount', '5.00 USD'],
  ]) {
    expect(await runTollcast(['issuer', ...args], { env })).toMatchObject({ code: 0 });
  }
  const out = join(folder, 'out');
  const at = ['--address', `239.255.78.9:${await findFreePort()}`];
  const watch = start('watch', ...at, ...card.slice(0, 2), '--out', out, '--yes');
  const to = [...at, '--price', '1.00 USD/MB', '--grant', CARD, '--store', issuer.store];
  const lines: string[] = [];
  for (const [run, signal] of (['SIGTERM', 'SIGKILL', 'SIGTERM'] as const).entries()) {
    const last = run === 2 ? ['--end-at-stop'] : [];
    const headend = start('headend', 'send', '--source', '-', ...to, ...last);
    for (let i = 0; i < 3; i++) lines.push(`run ${run}, line ${i}\n`);
    headend.child.stdin.write(lines.slice(-3).join(''));
    const size = lines.join('').length;
    for (let tries = 0; (await readFile(out, 'utf8').catch(() => '')).length < size; tries++) {
      if (tries > 1000)
        throw new Error(`only this came: ${await readFile(out, 'utf8')}; ${watch.said()} ${headend.said()}`);
      await sleep(10);
    }
    headend.child.kill(signal);
    await headend.ended;
  }
  expect(await watch.ended).toBe(0);
  expect(await readFile(out, 'utf8')).toBe(lines.join(''));
  expect(watch.said()).toContain('the sender ended the stream');
  expect(watch.said()).not.toContain('let go');
});
