import { type ChildProcess, spawn } from 'node:child_process';

/** What a shell prints when it waits for the next line. */
const PROMPT = 'tollcast-test$ ';

/** A shell on a terminal of its own, at which a test types and reads as people do. */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** All that was shown so far. */
  shown = '';
  #seen = 0;
  #notify: () => void = () => {};

  /** @param folder that the shell begins in. */
  constructor(folder: string, env: NodeJS.ProcessEnv) {
    // script(1) is in every Debian: it gives bash a terminal. A shell between the two would lose the prompt.
    this.#child = spawn('script', ['-qefc', `PS1='${PROMPT}' PS2= exec bash --norc --noprofile -i`, '/dev/null'], {
      cwd: folder,
      env: { ...env, TERM: 'dumb', COLUMNS: '200' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      this.shown += chunk.toString();
      this.#notify();
    });
  }

  /**
   * Types a command, and answers what it asks.
   * @param answers what is typed when a question is shown, without being echoed or not.
   * @returns what was shown until the next prompt.
   */
  async type(command: string, answers: readonly (readonly [question: RegExp, answer: string])[]): Promise<string> {
    // What runs in the background may write behind a prompt.
    await this.#until(() => this.#fresh.includes(PROMPT));
    const before = this.shown.length;
    this.#seen = before;
    let answered = before;
    this.#child.stdin!.write(`${command}\n`);
    await this.#until(() => {
      const asked = answers.find(([question]) => question.test(this.shown.slice(answered)));
      if (asked !== undefined) {
        answered = this.shown.length;
        this.#child.stdin!.write(`${asked[1]}\n`);
      }
      return this.#fresh.includes(PROMPT);
    });
    return this.shown.slice(before);
  }

  get #fresh(): string {
    return this.shown.slice(this.#seen);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end('\nexit\n');
    if (this.#child.exitCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#child.once('close', () => resolve());
    await promise;
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#notify = resolve;
      await promise;
    }
  }
}
