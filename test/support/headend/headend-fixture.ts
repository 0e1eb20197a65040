import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { systemClock } from '../../../host/clock/clock.ts';
import { openTlsIdentity } from '../../../host/headend/api/tls-identity.ts';
import { parseConfig } from '../../../host/headend/config/read-config.ts';
import type { HeadendOptions } from '../../../host/headend/roles/headend-parts.ts';
import { Headend } from '../../../host/headend/roles/headend.ts';
import { createStore } from '../../../host/issuer/keys/key-store.ts';
import { type PinnedAnswer, requestPinned } from '../../../host/transport/network/pinned-https.ts';
import { PASSPHRASE } from '../issuer-fixture.ts';
import { MASTERS } from '../streams/test-service.ts';

/** A head-end in this process, with a directory of its own, which can be started again. */
export interface HeadendFixture {
  readonly directory: string;
  readonly port: number;
  /** SHA-256 of the API's public key, hexadecimal. */
  readonly tlsKey: string;
  readonly headend: Headend;
  /** Lines that it logged. */
  readonly log: Record<string, unknown>[];
  /** Starts it again, as after a crash or an update. @param services instead of those that it had. */
  restart(services?: unknown): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, options?: AskOptions): Promise<PinnedAnswer>;
  askOperator(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<PinnedAnswer>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface AskOptions {
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Octets of an answer in tests. */
const MAX_ANSWER = 1_000_000;

interface FixtureOptions extends Pick<HeadendOptions, 'clock' | 'openSource'> {
  readonly announce?: { readonly address?: string; readonly interval?: number };
  /** The masters that the issuer store has beside those that every head-end needs; all when left out. */
  readonly masters?: readonly MasterName[];
  /** What else the configuration says. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** @param services as a configuration has them. */
export async function startHeadend(
  services: unknown,
  { clock = systemClock, openSource, masters, announce = {}, config = {} }: FixtureOptions = {},
): Promise<HeadendFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'tollcast-headend-'));
  const issuer = join(directory, 'issuer');
  // 14: the least that a store may cost.
  await createStore(issuer, 0x0a1b2c, PASSPHRASE, 14);
  const state = join(directory, 'state');
  const port = await findFreeTcpPort();
  const log: Record<string, unknown>[] = [];
  const logger = pino({ level: 'debug' }, { write: (line) => log.push(JSON.parse(line) as Record<string, unknown>) });
  let current = services;
  const readConfig = () => {
    const listen = `127.0.0.1:${port}`;
    return parseConfig(JSON.stringify({ listen, state, issuer, announce, services: current, ...config }), 'test.json');
  };
  const start = () => {
    return Headend.start({
      config: readConfig(),
      openMaster: async (name) => openTestMaster(name),
      hasMaster: async (name) => masters?.includes(name) ?? true,
      log: logger,
      clock,
      ...(openSource !== undefined && { openSource }),
    });
  };
  let headend = await start();
  let isRunning = true;
  const { fingerprint } = await openTlsIdentity(state, readConfig().plan.tls, '127.0.0.1');
  const ask: HeadendFixture['ask'] = (method, path, options = {}) =>
    requestPinned({
      url: new URL(path, `https://127.0.0.1:${port}`),
      tlsKey: fingerprint,
      method,
      maxAnswer: MAX_ANSWER,
      ...options,
    });
  return {
    directory,
    port,
    tlsKey: fingerprint,
    log,
    get headend() {
      return headend;
    },
    async restart(others) {
      if (others !== undefined) current = others;
      await headend.close();
      headend = await start();
    },
    async stop() {
      isRunning = false;
      await headend.close();
    },
    async start() {
      headend = await start();
      isRunning = true;
    },
    ask,
    async askOperator(method, path, body) {
      const token = (await readFile(join(state, 'operator.token'), 'utf8')).trim();
      return ask(method, path, {
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: Buffer.from(JSON.stringify(body)) }),
      });
    },
    async [Symbol.asyncDispose]() {
      if (isRunning) await headend.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** The masters of the cards that `personalise` makes. */
function openTestMaster(name: string): Uint8Array {
  const master = Object.entries(MASTERS).find(([known]) => known === name)?.[1];
  if (master === undefined) throw new Error(`these tests have no ${name} master`);
  return master;
}

/** Reads an answer's JSON. */
export function readJson(answer: PinnedAnswer): Record<string, unknown> {
  return JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>;
}

export async function findFreeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
