import type { CardChannel } from '../../apdu/card-channel.ts';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { openCard } from '../../host/transport/card/card-address.ts';
import { numberIn, type RunnerCard, RunnerProcess } from './runner-process.ts';
import type { CardCounts, CardKind, CutPoint, SimulatedCard, StartCardOptions } from './simulated-card.ts';
import { takeVirtualReader, type VirtualReader } from './virtual-reader.ts';

/** One runs all cards of the process, as a virtual machine takes longer to start than a card. */
let runner: Promise<RunnerProcess> | undefined;

async function runnerFor(spec: string): Promise<RunnerProcess> {
  const running = await runner?.catch(() => undefined);
  if (running === undefined || running.ended) runner = RunnerProcess.start(spec);
  return runner!;
}

/** The applet on jCardSim, behind TCP or in a reader of a private pcscd. */
export class AppletSimulation implements SimulatedCard {
  readonly kind: CardKind;
  readonly address: string;
  readonly #runner: RunnerProcess;
  readonly #id: number;
  readonly #reader: VirtualReader | undefined;
  #channel: CardChannel | undefined;
  #closed = false;

  private constructor(runnerProcess: RunnerProcess, card: RunnerCard, reader: VirtualReader | undefined) {
    this.#runner = runnerProcess;
    this.#id = card.id;
    this.#reader = reader;
    this.kind = reader === undefined ? 'jcardsim' : 'pcsc';
    this.address = reader === undefined ? `tcp:127.0.0.1:${card.tcp}` : `pcsc:${reader.name}`;
  }

  /**
   * @throws OutOfRangeError for a file name with a comma.
   * @throws TransportError `NO_RUNNER`, `NO_JAVA`, `RUNNER_FAILED`; for a card in a reader `NO_PCSCD`,
   * `NO_FREE_READER`.
   */
  static async start(options: StartCardOptions): Promise<AppletSimulation> {
    const { kind, state, lacks = [], apduBuffer, strict = true, t0 = false } = options;
    if (state?.includes(',') === true) throw new OutOfRangeError(`the runner takes no comma in a file name: ${state}`);
    const reader = kind === 'pcsc' ? await takeVirtualReader() : undefined;
    try {
      const port = reader === undefined ? 'tcp=0' : `vpcd=127.0.0.1:${reader.port}`;
      const spec = [
        port,
        ...(strict ? ['strict=1'] : []),
        ...(t0 ? ['t0=1'] : []),
        ...lacks.map((feature) => `${feature}=0`),
        ...(apduBuffer === undefined ? [] : [`buffer=${apduBuffer}`]),
        ...(state === undefined ? [] : [`state=${state}`]),
      ].join(',');
      const runnerProcess = await runnerFor(spec);
      return new AppletSimulation(runnerProcess, await runnerProcess.add(spec), reader);
    } catch (error) {
      await reader?.release();
      throw error;
    }
  }

  async channel(): Promise<CardChannel> {
    // Who opens a channel is done with the one before; the card's port takes few connections.
    await this.#channel?.close();
    // pcscd looks for cards every 0.4 s.
    const options = this.kind === 'pcsc' ? { wait: true, signal: AbortSignal.timeout(10_000) } : {};
    this.#channel = await openCard(this.address, options);
    return this.#channel;
  }

  async pull(): Promise<void> {
    await this.#runner.ask({ do: 'pull', card: this.#id });
  }

  async insert(): Promise<void> {
    await this.#runner.ask({ do: 'insert', card: this.#id });
  }

  async reset(): Promise<void> {
    await this.#runner.ask({ do: 'reset', card: this.#id });
  }

  async erase(): Promise<void> {
    await this.#runner.ask({ do: 'erase', card: this.#id });
  }

  async cut(point: CutPoint): Promise<void> {
    const where = point === 'afterLast' ? { afterLast: true } : { k: point };
    await this.#runner.ask({ do: 'cut', card: this.#id, ...where });
  }

  async counts(): Promise<CardCounts> {
    const counts = await this.#runner.ask({ do: 'counts', card: this.#id });
    return { commands: numberIn(counts, 'commands'), persistentWrites: numberIn(counts, 'persistentWrites') };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#runner.ask({ do: 'remove', card: this.#id });
    } finally {
      await this.#reader?.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
