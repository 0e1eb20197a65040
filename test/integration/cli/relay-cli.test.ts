import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { startRelay, walkPage } from '../../support/page-site.ts';
import { findFreePort, LOOPBACK } from '../../support/streams/test-service.ts';
import { runTollcast, TOLLCAST } from '../../support/tollcast-cli.ts';

test('the relay says where its page is, serves it until it is stopped, and ends without an error', async () => {
  const relay = await startRelay(['--disable-warning=ExperimentalWarning', TOLLCAST], '239.255.78.9');
  expect(relay.where).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  const { modules, missing } = await walkPage(relay.where);
  expect([modules.length > 100, missing]).toEqual([true, []]);
  const { said, ...ended } = await relay.stop();
  expect(ended).toEqual({ code: 0, signal: null });
  expect(said.split('\n')).toHaveLength(2);
});

test('a port that is taken, and one that the media has, are said', async () => {
  const other = createServer().listen(0, LOOPBACK);
  await once(other, 'listening');
  const taken = other.address();
  const port = taken !== null && typeof taken === 'object' ? taken.port : 0;
  const stream = await findFreePort();
  const run = await runTollcast(['relay', '--address', `239.255.78.9:${stream}`, '--port', String(port)]);
  expect(run.stderr).toContain(
    `TCP port ${port} of 127.0.0.1 is taken by another program; stop what has it, or choose another with --port`,
  );
  expect(run.code).not.toBe(0);
  other.close();
  const { stderr } = await runTollcast(['relay', '--address', '239.255.78.9:5000', '--key-port', '5001']);
  expect(stderr).toContain('--key-port 5001 is taken by the media or its RTCP');
});
