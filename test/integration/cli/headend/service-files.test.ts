import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createStore } from '../../../../host/issuer/keys/key-store.ts';
import { findFreeTcpPort } from '../../../support/headend/headend-fixture.ts';
import { PASSPHRASE } from '../../../support/issuer-fixture.ts';
import { TOLLCAST } from '../../../support/tollcast-cli.ts';

/** The files that run a head-end as a service: what they run, runs, and stops as they stop it. */
const SCRIPTS = join(import.meta.dirname, '../../../../scripts');

let folder: string;
let config: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-service-'));
  await createStore(join(folder, 'issuer'), 0x0a1b2c, PASSPHRASE, 14);
  config = join(folder, 'headend.yaml');
  const listen = `127.0.0.1:${await findFreeTcpPort()}`;
  const definition = { listen, state: join(folder, 'state'), issuer: join(folder, 'issuer'), issuerNumber: '0a1b2c' };
  await writeFile(config, JSON.stringify({ ...definition, services: [] }));
  await mkdir(join(folder, 'credentials'));
  for (const name of ['credentials/tollcast-passphrase', 'passphrase']) {
    await writeFile(join(folder, name), PASSPHRASE, { mode: 0o400 });
  }
});

afterAll(() => rm(folder, { recursive: true }));

/** Runs the words after `tollcast`, with files of this test in place of those of a machine, until it runs; stops it. */
async function runAndStop(command: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const words = command
    .slice(command.indexOf('tollcast ') + 'tollcast '.length)
    .replace('/etc/tollcast/headend.yaml', config)
    .replace('/run/secrets/passphrase', join(folder, 'passphrase'))
    .split(' ');
  const { TOLLCAST_PASSPHRASE: _, ...bare } = process.env;
  const child = spawn(process.execPath, [TOLLCAST, ...words], {
    env: { ...bare, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let said = '';
  for await (const chunk of child.stderr) {
    said += String(chunk);
    if (said.includes('the head-end runs')) break;
  }
  child.kill('SIGTERM');
  const [status] = (await ended) as [number | null];
  return { status, runs: said.includes('the head-end runs') };
}

test('the unit of systemd runs a head-end with the credential that systemd hands in', { timeout: 60_000 }, async () => {
  const unit = await readFile(join(SCRIPTS, 'tollcast-headend.service'), 'utf8');
  const settings = new Map(
    unit
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  expect(settings.get('LoadCredential')).toBe('tollcast-passphrase:/etc/tollcast/passphrase');
  // It may write nowhere but in its state directory, which is where it works.
  expect(settings.get('WorkingDirectory')).toBe(`/var/lib/${settings.get('StateDirectory')}`);
  expect([settings.get('ProtectSystem'), settings.get('Restart')]).toEqual(['strict', 'on-failure']);
  const env = { CREDENTIALS_DIRECTORY: join(folder, 'credentials') };
  expect(await runAndStop(settings.get('ExecStart')!, env)).toEqual({ status: 0, runs: true });
});

test('the compose file runs a head-end with the secret that it mounts', { timeout: 60_000 }, async () => {
  const file = parse(await readFile(join(SCRIPTS, 'headend.compose.yaml'), 'utf8')) as {
    services: { headend: { command: string; secrets: string[]; volumes: string[]; network_mode: string } };
    secrets: Record<string, unknown>;
    volumes: Record<string, unknown>;
  };
  const { command, secrets, volumes, network_mode: network } = file.services.headend;
  expect(secrets.filter((name) => !(name in file.secrets))).toEqual([]);
  const named = volumes.map((volume) => volume.split(':')[0]!).filter((name) => !name.startsWith('.'));
  expect(named.filter((name) => !(name in file.volumes))).toEqual([]);
  expect(network).toBe('host');
  expect(command).toContain(`/run/secrets/${secrets[0]}`);
  expect(await runAndStop(command)).toEqual({ status: 0, runs: true });
});
