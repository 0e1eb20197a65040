import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { TransportError } from '../../../../apdu/errors.ts';
import type { PostJson } from '../../../../host/holder/loads/fetch-load.ts';
import type { LoadDeskOrder } from './load-desk-process.ts';
import { type LoadDeskAnswer, makePost } from './load-desk.ts';

const SCRIPT = new URL('load-desk-process.ts', import.meta.url);

/** A desk for loads that runs in a process of its own, and dies where it is told to. */
export class MortalLoadDesk implements AsyncDisposable {
  readonly #places: { readonly issuer: string; readonly state: string };
  /** Reads its program while the one before it works, and has nothing open. */
  #next: ChildProcess;
  #child: ChildProcess | undefined;

  /** @param issuer directory of the issuer store. @param state of the head-end. */
  constructor(issuer: string, state: string) {
    this.#places = { issuer, state };
    this.#next = this.#fork();
  }

  get isAlive(): boolean {
    return this.#child !== undefined;
  }

  async start(): Promise<void> {
    const child = this.#next;
    child.once('exit', () => {
      this.#child = undefined;
    });
    this.#child = child;
    this.#next = this.#fork();
    await this.ask({ what: 'open', ...this.#places });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#child, this.#next].flatMap((child) => (child === undefined ? [] : [killChild(child)])));
  }

  /** @throws TransportError when it died before it answered. */
  async ask(order: LoadDeskOrder): Promise<LoadDeskAnswer> {
    const child = this.#child;
    const answer = await new Promise<LoadDeskAnswer | 'died'>((resolve) => {
      if (child?.connected !== true) {
        resolve('died');
        return;
      }
      const die = () => resolve('died');
      child.once('exit', die);
      child.once('message', (message: LoadDeskAnswer) => {
        child.off('exit', die);
        resolve(message);
      });
      child.send(order, (error) => error !== null && resolve('died'));
    });
    if (answer === 'died') throw new TransportError('HTTPS', 'the desk died');
    return answer;
  }

  #fork(): ChildProcess {
    // Each finds compiled what the first has read.
    return fork(SCRIPT, { env: { ...process.env, NODE_COMPILE_CACHE: join(this.#places.state, 'compiled') } });
  }

  /** As a client reaches it. */
  readonly post: PostJson = makePost((question) => this.ask(question));
}

async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
