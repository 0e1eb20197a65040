import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { TransportError } from '../../apdu/errors.ts';
import type { PostJson } from '../../host/holder/loads/fetch-load.ts';
import type { LoadDeskAnswer, LoadDeskQuestion } from './load-desk-process.ts';

const SCRIPT = new URL('load-desk-process.ts', import.meta.url);

/** A desk for loads that runs in a process of its own, and dies where it is told to. */
export class MortalLoadDesk {
  readonly #issuer: string;
  readonly #state: string;
  #child: ChildProcess | undefined;
  #answered: ((answer: LoadDeskAnswer | 'died') => void) | undefined;

  /** @param issuer directory of the issuer store. @param state of the head-end. */
  constructor(issuer: string, state: string) {
    this.#issuer = issuer;
    this.#state = state;
  }

  get isAlive(): boolean {
    return this.#child !== undefined;
  }

  async start(): Promise<void> {
    const child = fork(SCRIPT, [this.#issuer, this.#state]);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => {
        reject(new Error(`the desk ended by itself with ${code}`));
        this.#child = undefined;
        this.#answered?.('died');
      });
      child.on('message', (message: LoadDeskAnswer | 'ready') => {
        if (message === 'ready') resolve();
        else this.#answered?.(message);
      });
    });
    this.#child = child;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** @throws TransportError when it died before it answered. */
  async ask(question: LoadDeskQuestion): Promise<LoadDeskAnswer> {
    const answer = await new Promise<LoadDeskAnswer | 'died'>((resolve) => {
      this.#answered = resolve;
      if (this.#child?.connected !== true) resolve('died');
      else this.#child.send(question, (error) => error !== null && resolve('died'));
    });
    if (answer === 'died') throw new TransportError('HTTPS', 'the desk died');
    return answer;
  }

  /** As a client reaches it. */
  readonly post: PostJson = async (path, body, headers) => {
    const { request = '', proof = '', voucher } = readFields(body);
    const { status, text: answer } = await this.ask(
      path === '/v1/loads'
        ? { what: 'ask', request, key: headers['idempotency-key']!, ...(voucher !== undefined && { voucher }) }
        : { what: 'prove', proof },
    );
    return { status, body: new TextEncoder().encode(answer) };
  };
}

/** The texts of a body. */
function readFields(body: unknown): Record<string, string> {
  if (typeof body !== 'object' || body === null) throw new Error('this is not a body');
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, String(value)]));
}
