import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TransportError } from '../../apdu/errors.ts';
import { systemClock } from '../../host/clock/clock.ts';

const VPCD_DRIVER = '/usr/lib/pcsc/drivers/serial/libifdvpcd.so';
const ADVICE = 'on Debian type: apt-get install pcscd vsmartcard-vpcd';
/** Characters of pcscd's output that an error may quote. */
const MAX_QUOTED = 4_000;

/**
 * A pcscd of this process's own, with two virtual readers on free ports, seen by nobody else on the machine.
 *
 *     const pcscd = await PrivatePcscd.start();   // before pcsclite is loaded: it reads the socket's name only once
 *     ... a card connects to 127.0.0.1:pcscd.ports[0] ...
 *     await pcscd.stop();
 */
export class PrivatePcscd {
  /** One of each reader; a card is a TCP client there. */
  readonly ports: readonly [number, number];
  /** Path of pcscd's socket, also in PCSCLITE_CSOCK_NAME of this process and its children. */
  readonly socket: string;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string, ports: readonly [number, number]) {
    this.#folder = folder;
    this.ports = ports;
    this.socket = join(folder, 'run', 'pcscd.comm');
    process.env['PCSCLITE_CSOCK_NAME'] = this.socket;
    process.once('exit', this.#leave);
  }

  /** Runs when the process ends without `stop`. */
  readonly #leave = (): void => {
    this.#process?.kill('SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
  };

  /** Names of the two readers, as PC/SC knows them. */
  static readonly readers = ['Virtual PCD 00 00', 'Virtual PCD 00 01'] as const;

  /** Prepares it and starts the daemon. @throws TransportError `NO_PCSCD`. */
  static async start(): Promise<PrivatePcscd> {
    const pcscd = await PrivatePcscd.prepare();
    await pcscd.run();
    return pcscd;
  }

  /** Takes folder and ports, and names the socket in the environment; the daemon does not run yet. */
  static async prepare(): Promise<PrivatePcscd> {
    const folder = await mkdtemp(join(tmpdir(), 'pcscd-'));
    return new PrivatePcscd(folder, await twoFreePorts());
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /**
   * Starts the daemon (again) and waits until it answers.
   * @param options.readers false for a pcscd without any reader.
   * @param options.driver library of the virtual readers, in place of vpcd's own.
   * @throws TransportError `NO_PCSCD` when pcscd or its virtual reader is not installed or does not start.
   */
  async run({ readers = true, driver = VPCD_DRIVER }: { readers?: boolean; driver?: string } = {}): Promise<void> {
    if (this.#process !== undefined) return;
    if (!existsSync(VPCD_DRIVER)) {
      throw new TransportError('NO_PCSCD', `the virtual reader vsmartcard-vpcd is not installed; ${ADVICE}`);
    }
    const run = join(this.#folder, 'run');
    const conf = join(this.#folder, 'conf');
    await rm(run, { recursive: true, force: true });
    await mkdir(run, { recursive: true, mode: 0o700 });
    await mkdir(conf, { recursive: true, mode: 0o700 });
    const reader = join(conf, 'vpcd');
    await (readers ? writeFile(reader, readerConf(this.ports[0], driver)) : rm(reader, { force: true }));
    const bind = 'mount --bind "$0" /run/pcscd';
    const mount = `${bind} 2>/dev/null || { mount -t tmpfs tmpfs /run && mkdir /run/pcscd && ${bind}; }`;
    const flags = process.getuid?.() === 0 ? '-m' : '-rm';
    const script = `{ ${mount}; } && exec pcscd -f -e -c "$1"`;
    const child = spawn('unshare', [flags, 'sh', '-c', script, run, conf], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const keep = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-MAX_QUOTED);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    const ended = once(child, 'close').then(
      () => false,
      (cause: unknown) => {
        this.#process = undefined;
        said += String(cause);
        return false;
      },
    );
    if (!(await Promise.race([this.#ready(readers), ended]))) {
      await this.kill('SIGKILL');
      const text = `pcscd does not start in a mount namespace of its own (${said.trim() || 'it gave no reason'})`;
      throw new TransportError('NO_PCSCD', `${text}; ${ADVICE}`);
    }
  }

  async #ready(readers: boolean): Promise<boolean> {
    const ports = readers ? this.ports : [];
    for (let tries = 0; tries < 500; tries++) {
      if ((await accepts(this.socket)) && (await Promise.all(ports.map(isListening))).every(Boolean)) return true;
      await systemClock.sleep(10);
    }
    return false;
  }

  /** Ends the daemon only; `run` starts it again on the same socket and ports. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    this.#process = undefined;
  }

  /** Ends the daemon and removes its files. */
  async stop(): Promise<void> {
    process.off('exit', this.#leave);
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function readerConf(port: number, driver: string): string {
  const channel = `0x${port.toString(16).toUpperCase()}`;
  return [
    'FRIENDLYNAME "Virtual PCD"',
    `DEVICENAME /dev/null:${channel}`,
    `LIBPATH ${driver}`,
    `CHANNELID ${channel}`,
    '',
  ].join('\n');
}

/** vpcd takes a port and the one after it. */
async function twoFreePorts(): Promise<[number, number]> {
  for (;;) {
    const first = createServer();
    const second = createServer();
    try {
      first.listen(0);
      await once(first, 'listening');
      const address = first.address();
      if (address === null || typeof address === 'string') throw new Error('no address after listening');
      const { port } = address;
      second.listen(port + 1);
      await once(second, 'listening');
      return [port, port + 1];
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    } finally {
      first.close();
      second.close();
    }
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Looks without connecting: to vpcd a connection is a card. */
async function isListening(port: number): Promise<boolean> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n');
    if (lines.some((line) => line.slice(0, 60).includes(local) && / 0A /.test(line))) return true;
  }
  return false;
}
