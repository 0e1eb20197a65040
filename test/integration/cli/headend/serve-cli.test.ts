import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStore } from '../../../../host/issuer/keys/key-store.ts';
import { findFreeTcpPort } from '../../../support/headend/headend-fixture.ts';
import { PASSPHRASE } from '../../../support/issuer-fixture.ts';
import { findFreePort } from '../../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../../support/tollcast-cli.ts';

let folder: string;
let config: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-serve-'));
  config = join(folder, 'tv.yaml');
  await createStore(join(folder, 'issuer'), 0x0a1b2c, PASSPHRASE, 14);
  await writeFile(join(folder, 'clip.bin'), Buffer.alloc(50_000, 1));
  await writeFile(
    config,
    `listen: 127.0.0.1:${await findFreeTcpPort()}
state: ${folder}/state
issuer: ${folder}/issuer
services:
  - number: 7
    name: Harbour
    price: { content: { price: 0.25 USD/MB } }
    sessions:
      - name: main
        source: ${folder}/clip.bin
        format: data
        rate: 100000
        repeat: true
        address: 239.255.7.3:${await findFreePort()}
`,
  );
});

afterAll(() => rm(folder, { recursive: true }));

test('a configuration is checked, and what is wrong is named by line and field', async () => {
  expect(await runTollcast(['headend', 'check', '--config', config])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^service 7, Harbour: 239\.255\.7\.3:\d+\n$/) as string,
  });
  const wrong = join(folder, 'wrong.yaml');
  await writeFile(wrong, (await readFile(config, 'utf8')).replace('number: 7', 'number: seven'));
  const { code, stderr } = await runTollcast(['headend', 'check', '--config', wrong]);
  expect([code, stderr]).toEqual([
    2,
    'tollcast: wrong.yaml:5:13: services[0].number: it must be integer; correct it\n',
  ]);
});

test('operators of a head-end that never ran are told to start it, and nothing is made', async () => {
  const text = (await readFile(config, 'utf8')).replace('/state', '/none');
  const file = join(folder, 'never.yaml');
  await writeFile(file, text);
  expect(await runTollcast(['billing', 'report', '--config', file])).toMatchObject({
    code: 2,
    stderr: `tollcast: no head-end has run with the state in ${folder}/none; start it: tollcast headend serve --config FILE\n`,
  });
  expect(existsSync(join(folder, 'none'))).toBe(false);
});

test('a database that is none, and a port that is taken, end it with what to do', { timeout: 60_000 }, async () => {
  const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  const text = await readFile(config, 'utf8');
  const serve = async (name: string, state: string, port: number) => {
    const file = join(folder, `${name}.yaml`);
    await writeFile(file, text.replace(/listen: .*/, `listen: 127.0.0.1:${port}`).replace('/state', `/${state}`));
    const { code, stderr } = await runTollcast(['headend', 'serve', '--config', file], { env });
    return [code, stderr.trim().split('\n').at(-1)];
  };
  await mkdir(join(folder, 'damaged'));
  await writeFile(join(folder, 'damaged/headend.sqlite'), 'this is not a database '.repeat(100));
  expect(await serve('damaged', 'damaged', await findFreeTcpPort())).toEqual([
    1,
    expect.stringMatching(/headend\.sqlite is damaged or of another program; put your copy of it back$/),
  ]);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  try {
    expect(await serve('taken', 'other', port)).toEqual([
      4,
      `tollcast: another program listens at 127.0.0.1:${port}; stop it, or name another port: listen`,
    ]);
  } finally {
    taken.close();
  }
});

test('a head-end serves, is operated and copied while it runs, and stops cleanly', { timeout: 150_000 }, async () => {
  const env = { ...process.env, TOLLCAST_PASSPHRASE: PASSPHRASE };
  const server = spawn(process.execPath, [TOLLCAST, 'headend', 'serve', '--config', config], { env });
  const ended = once(server, 'exit');
  try {
    for await (const line of createInterface(server.stderr)) {
      const entry = JSON.parse(line) as { msg: string };
      if (entry.msg === 'the head-end runs') break;
    }
    server.stderr.resume();
    const operate = (...args: string[]) => runTollcast(['headend', ...args, '--config', config]);
    const clip = join(folder, 'dearer.yaml');
    await writeFile(
      clip,
      `number: 7
name: Harbour
price: { content: { price: 0.30 USD/MB } }
sessions: [{ name: main, source: ${folder}/clip.bin, format: data, repeat: true, address: '239.255.7.3:5400' }]
`,
    );
    const [services, refused, ...members] = await Promise.all([
      operate('service', 'list'),
      operate('member', 'block', 'no-card'),
      ...[[], ['7'], ['7', 'main']].map((of) => operate('member', 'list', ...of)),
    ]);
    for (const { stdout } of members) expect(JSON.parse(stdout)).toEqual({ members: [] });
    expect(JSON.parse(services.stdout)).toMatchObject({
      services: [{ sessions: [{ name: 'main', isSending: true }] }],
    });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('no-card') as string]);
    expect(await operate('service', 'put', clip)).toMatchObject({ code: 0, stderr: '' });
    const [changes, copied] = await Promise.all([operate('changes'), operate('backup', join(folder, 'copy.sqlite'))]);
    expect(JSON.parse(changes.stdout)).toMatchObject({
      changes: [{ operator: 'operator', subject: 'service 7' }, {}, {}],
    });
    expect(copied).toMatchObject({ code: 0, stderr: '' });
  } finally {
    server.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  }
});
