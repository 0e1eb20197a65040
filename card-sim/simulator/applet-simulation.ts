import type { CardChannel } from '../../apdu/card-channel.ts';
import { OutOfRangeError } from '../../apdu/errors.ts';
import { openCard } from '../../host/transport/card/card-address.ts';
import { type ReaderSlot, takeReaderSlot } from './private-reader.ts';
import { numberIn, type RunnerCard, RunnerProcess } from './runner-process.ts';
import type { CardCounts, CardKind, CutPoint, SimulatedCard, StartCardOptions } from './simulated-card.ts';

/** One for the process: a virtual machine takes longer to start than a card. */
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
  readonly #slot: ReaderSlot | undefined;
  #closed = false;

  private constructor(runnerProcess: RunnerProcess, card: RunnerCard, slot: ReaderSlot | undefined) {
    this.#runner = runnerProcess;
    this.#id = card.id;
    this.#slot = slot;
    this.kind = slot === undefined ? 'jcardsim' : 'pcsc';
    this.address = slot === undefined ? `tcp:127.0.0.1:${card.tcp}` : `pcsc:${slot.reader}`;
  }

  /** @throws TransportError when Java, the runner or pcscd are missing. */
  static async start({ kind, state }: StartCardOptions): Promise<AppletSimulation> {
    if (state?.includes(',') === true) throw new OutOfRangeError(`the runner takes no comma in a file name: ${state}`);
    const slot = kind === 'pcsc' ? await takeReaderSlot() : undefined;
    try {
      const port = slot === undefined ? 'tcp=0' : `vpcd=127.0.0.1:${slot.port}`;
      const spec = state === undefined ? port : `${port},state=${state}`;
      const runnerProcess = await runnerFor(spec);
      return new AppletSimulation(runnerProcess, await runnerProcess.add(spec), slot);
    } catch (error) {
      await slot?.release();
      throw error;
    }
  }

  async channel(): Promise<CardChannel> {
    // pcscd takes a moment to see a card that was just put in.
    return openCard(this.address, this.kind === 'pcsc' ? { wait: true, signal: AbortSignal.timeout(10_000) } : {});
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
      await this.#slot?.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
