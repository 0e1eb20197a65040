import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { TOLLCAST } from '../../support/tollcast-cli.ts';
import { endWithThisProcess } from '../left-behind.ts';
import { MeasurementError } from '../measurement-error.ts';

/** A `tollcast` that runs. */
export interface Command {
  readonly process: ChildProcess;
  /** Waits until it says something on standard error. */
  readonly says: (words: string) => Promise<void>;
  /** Standard output, when it has ended with status 0. */
  readonly ended: Promise<string>;
}

/** An issuer and its first card, in a folder, and what is typed there. */
export class LiveDesk {
  /** Of the card that is granted. */
  static readonly CARD = '4b455a-02-00000001';
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#env = env;
  }

  /** Makes an issuer, and a soft card with 10 USD. @param env what the commands have beside that of this process. */
  static async open(folder: string, env: NodeJS.ProcessEnv = {}): Promise<LiveDesk> {
    const desk = new LiveDesk(folder, env);
    await desk.start('issuer init --id 4b455a').ended;
    await desk.start('issuer personalise --card soft:my.card --serial 1').ended;
    await desk.start('issuer load --card soft:my.card --amount', '10.00 USD').ended;
    return desk;
  }

  /** @param line words with a space between each two. @param more words as they are. */
  start(line: string, ...more: readonly string[]): Command {
    const child = spawn(process.execPath, [TOLLCAST, ...line.split(' '), ...more], {
      cwd: this.folder,
      env: { ...process.env, TOLLCAST_PASSPHRASE: 'of this measurement alone', ...this.#env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    endWithThisProcess(child);
    let out = '';
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(child, 'close').then(() => {
      if (child.exitCode !== 0) throw new MeasurementError(`tollcast ${line} broke off: ${said.slice(-300)}`);
      return out;
    });
    // Whoever waits for it is told.
    ended.catch(() => undefined);
    const says = async (words: string) => {
      while (!said.includes(words)) await Promise.race([once(child.stderr, 'data'), ended.then(failSilent(line))]);
    };
    return { process: child, says, ended };
  }
}

function failSilent(line: string): () => never {
  return () => {
    throw new MeasurementError(`tollcast ${line} ended without a word`);
  };
}
