import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TransportError } from '../../apdu/errors.ts';

/** Where Maven builds it in a checkout, and the package has it in the same place below `dist`. */
const JAR = fileURLToPath(new URL('../jcardsim/target/jcardsim-runner.jar', import.meta.url));
/** Characters of the runner's output that an error may quote. */
const MAX_QUOTED = 4_000;
/** Java says this when a jar was compiled for a newer one. */
const TOO_OLD = 'UnsupportedClassVersionError';

/** A card as the runner describes it. */
export interface RunnerCard {
  readonly id: number;
  readonly tcp: number | null;
}

/** A request on the control channel, which the runner's README describes. */
export interface ControlRequest {
  readonly do: string;
  readonly card?: number;
  readonly [argument: string]: unknown;
}

/** A line of JSON that the runner wrote. */
type Line = Readonly<Record<string, unknown>>;

/**
 * A Java virtual machine that runs this process's cards on jCardSim. It ends when its standard input is closed, and so
 * with this process, whatever ends that.
 */
export class RunnerProcess {
  readonly #control: Socket;
  /** What the control channel wants to see in each request. */
  readonly #token: unknown;
  /** Requests without an answer yet, in the order in which they were sent. */
  readonly #waiting: { resolve: (answer: Line) => void; reject: (error: Error) => void }[] = [];
  /** The card that the runner was started with, until `add` gives it out. */
  #first: RunnerCard | undefined;
  #said: () => string;

  private constructor(control: Socket, token: unknown, first: RunnerCard, said: () => string) {
    this.#control = control;
    this.#token = token;
    this.#first = first;
    this.#said = said;
    createInterface(control).on('line', (line) => {
      this.#waiting.shift()?.resolve(readLine(line));
    });
    control.on('error', () => {}); // 'close' follows
    control.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(failed('ended', said()));
    });
  }

  /**
   * @param spec of the first card, as the runner's `--card` takes it.
   * @throws TransportError `NO_RUNNER`, `NO_JAVA` when there is no Java or an old one, `RUNNER_FAILED`.
   */
  static async start(spec: string): Promise<RunnerProcess> {
    if (!existsSync(JAR)) {
      throw new TransportError(
        'NO_RUNNER',
        'the jCardSim runner, jcardsim-runner.jar, is missing; with a JDK 17 or newer, type in a checkout: ' +
          'scripts/setup runner; elsewhere install the package tollcast again',
      );
    }
    const java = process.env['JAVA_HOME'] === undefined ? 'java' : `${process.env['JAVA_HOME']}/bin/java`;
    const child = spawn(java, ['-jar', JAR, '--exit-with-stdin', '--control', '0', '--card', spec], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-MAX_QUOTED);
    });
    const ready = await readyLine(child, () => said);
    const control = connect(numberIn(ready, 'control'), '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      control.once('connect', resolve);
      control.once('error', reject);
    });
    control.setNoDelay(true);
    // This process may end while they are open.
    child.unref();
    for (const stream of [child.stdin, child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref();
    const runner = new RunnerProcess(
      control,
      ready['token'],
      cardIn(Array.isArray(ready['cards']) ? ready['cards'][0] : undefined),
      () => said,
    );
    // The runner lets go of a connection that does not show its token soon.
    await runner.ask({ do: 'hello' });
    return runner;
  }

  /** Adds a card: the one that the runner was started with if it is still free, else a new one. */
  async add(spec: string): Promise<RunnerCard> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    return cardIn((await this.ask({ do: 'add', spec }))['card']);
  }

  /** @throws TransportError when the runner refuses, or is gone. */
  async ask(request: ControlRequest): Promise<Line> {
    if (this.#control.destroyed) throw failed('ended', this.#said());
    this.#control.ref();
    try {
      const answer = await new Promise<Line>((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
        this.#control.write(`${JSON.stringify({ ...request, token: this.#token })}\n`);
      });
      if (answer['ok'] !== true) throw failed(`refused to ${request.do}`, String(answer['error']));
      return answer;
    } finally {
      if (this.#waiting.length === 0) this.#control.unref();
    }
  }

  get ended(): boolean {
    return this.#control.destroyed;
  }
}

function readyLine(child: ChildProcess, said: () => string): Promise<Line> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      const text = `there is no Java to run the simulated card (${cause.message})`;
      reject(new TransportError('NO_JAVA', `${text}; install a JDK 17 or newer, or set JAVA_HOME`, { cause }));
    });
    child.once('close', () => {
      if (!said().includes(TOO_OLD)) return reject(failed('did not start', said()));
      reject(
        new TransportError(
          'NO_JAVA',
          'this Java is too old to run the simulated card; install a JDK 17 or newer, or set JAVA_HOME to one',
        ),
      );
    });
    createInterface(child.stdout!).once('line', (line) => resolve(readLine(line)));
  });
}

function readLine(text: string): Line {
  const line: unknown = JSON.parse(text);
  return isLine(line) ? line : {};
}

function isLine(value: unknown): value is Line {
  return typeof value === 'object' && value !== null;
}

function cardIn(value: unknown): RunnerCard {
  const card = isLine(value) ? value : {};
  const { tcp } = card;
  return { id: numberIn(card, 'id'), tcp: typeof tcp === 'number' ? tcp : null };
}

/** @throws TransportError when the runner's line has no such number. */
export function numberIn(line: Line, field: string): number {
  const value = line[field];
  if (typeof value !== 'number') throw failed('is of another version', `it gave no number "${field}"; build it anew`);
  return value;
}

function failed(what: string, why: string): TransportError {
  return new TransportError('RUNNER_FAILED', `the jCardSim runner ${what}: ${why.trim() || 'it gave no reason'}`);
}
