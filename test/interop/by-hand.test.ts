import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeCardId } from '../../apdu/decode-module/card-id.ts';
import { parseKeyMessage } from '../../apdu/decode-module/keys/key-message.ts';
import { toHex } from '../../apdu/octets.ts';
import { parseAnswer } from '../../host/contract/answers/answer.ts';
import { parseProblem } from '../../host/contract/answers/problem.ts';
import { type HeadendFixture, readJson, startHeadend } from '../support/headend/headend-fixture.ts';
import { sourceOf } from '../support/streams/test-sender.ts';
import { MASTERS } from '../support/streams/test-service.ts';

/** The commands of `firmware-notes/head-end.md`, as they stand there: how an offer is checked, and how a card asks. */
const page = await readFile(new URL('../../firmware-notes/head-end.md', import.meta.url), 'utf8');
const [CHECK_OFFER, ASK] = page
  .split('\n\n')
  .filter((block) => block.split('\n').every((line) => line.startsWith('    ')))
  .map((block) => block.replaceAll(/^ {4}/gm, '')) as [string, string];

const SERVICE = 7;
const CARD_ID = encodeCardId({ issuer: 0x0a1b2c, moduleClass: 'soft', serial: 4711 });
const SESSION = { name: 'main', source: 'memory', format: 'data', rate: 10_000, address: '239.255.7.7:40970' };
const run = promisify(execFile);

let fixture: HeadendFixture;
let directory: string;
let environment: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-by-hand-'));
  fixture = await startHeadend(
    [{ number: SERVICE, name: 'Harbour', price: { content: { price: '5.00 USD/h' } }, sessions: [SESSION] }],
    {
      openSource: async () => sourceOf([new Uint8Array(1000)]),
    },
  );
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  await copyFile(fixture.headend.signer.publicFile!, join(directory, 'headend.pem'));
  const now = Math.floor(Date.now() / 1000);
  environment = {
    URL: `https://127.0.0.1:${fixture.port}`,
    TLS_KEY: Buffer.from(fixture.tlsKey, 'hex').toString('base64'),
    OFFER: offers[0]!.id,
    MASTER: toHex(MASTERS.uplink),
    CLASS: 'soft',
    CARD: toHex(CARD_ID),
    SERVICE: String(SERVICE),
    FROM: String(now),
    TO: String(now + 600),
  };
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function shell(script: string, changes: Record<string, string> = {}): Promise<string> {
  const env = { PATH: process.env['PATH'], ...environment, ...changes };
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], { cwd: directory, env });
  return stdout;
}

const read = (name: string) => readFile(join(directory, name));

test('openssl checks an offer, and works out its session hash', async () => {
  expect(await shell(CHECK_OFFER)).toContain('Signature Verified Successfully');
  expect((await read('session-hash')).toString()).toBe(environment['OFFER']);
  expect(JSON.parse((await read('offer.json')).toString())).toMatchObject({ name: 'Harbour', service: SERVICE });
});

test('a request that is made with openssl and sent with curl is answered with keys', async () => {
  expect(await shell(ASK)).toBe('200\n');
  const answer = parseAnswer(await read('answer.json'));
  expect(answer).toMatchObject({ outcome: 'joined', service: SERVICE });
  expect(parseKeyMessage(answer.messages[0]!)).toMatchObject({ service: SERVICE, to: answer.to });
});

test('one that is signed with another key is refused, with advice', async () => {
  expect(await shell(ASK, { MASTER: '00'.repeat(16) })).toBe('403\n');
  expect(parseProblem(await read('answer.json'))).toMatchObject({ code: 'wrong-signature' });
});
