import type { CardChannel } from '../../../apdu/card-channel.ts';
import { CLA_MODULE, INS } from '../../../apdu/decode-module/instruction.ts';
import { encodeCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import {
  loadPcsclite,
  type NativeCallback,
  type NativeReader,
} from '../../../host/transport/card/pcsc/pcsclite-native.ts';
import { findMedian, type Measurement } from '../figures.ts';
import { sealCardParts, fillCard, wakeCard } from './ready-card.ts';

const ROUNDS = 100;
const ROUND_TRIPS = 1000;
const SHARE_EXCLUSIVE = 1;
const ANY_PROTOCOL = 3;
const RESET_CARD = 1;
/** Data of DECODE at span 64, and the status word. */
const ANSWER_OCTETS = 66;

/** Round trips per second through the whole stack, against a loop that does nothing but call pcsclite. */
export async function measureRoundTrips(): Promise<Measurement> {
  await using card = await startCard({ kind: 'pcsc' });
  const channel = await card.channel();
  await fillCard(channel);
  await channel.close();
  using bare = await BareReader.open(card);
  const stack: number[] = [];
  const alone: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    stack.push(await countThroughStack(card, 2 * round));
    alone.push(await bare.measure(2 * round + 1));
  }
  return {
    how:
      `DECODE at span 64, 110 octets there and 66 back, jCardSim in a virtual reader of pcscd; the last group asked for again, ` +
      `so that the card writes nothing. Medians of ${ROUNDS} rounds of ${ROUND_TRIPS}, by turns; the bare loop calls pcsclite's transmit from its own callback.`,
    rows: [
      { what: 'DecodeModule over PC/SC', figure: findMedian(stack), unit: 'round trips/s' },
      { what: 'bare pcsclite loop', figure: findMedian(alone), unit: 'round trips/s' },
      { what: 'stack / bare loop', figure: findMedian(stack) / findMedian(alone), unit: '', goal: { atLeast: 0.9 } },
    ],
  };
}

async function countThroughStack(card: SimulatedCard, group: number): Promise<number> {
  const channel = await card.channel();
  const module = await wakeCard(channel);
  const part = sealCardParts(group, 1)[0]!;
  await module.decode(part);
  const start = performance.now();
  for (let i = 0; i < ROUND_TRIPS; i++) await module.decode(part);
  const seconds = (performance.now() - start) / 1000;
  await channel.close();
  return ROUND_TRIPS / seconds;
}

/** The reader as pcsclite gives it. */
class BareReader implements Disposable {
  readonly #native: NativeReader;
  readonly #close: () => void;

  private constructor(native: NativeReader, close: () => void) {
    this.#native = native;
    this.#close = close;
  }

  static async open({ address }: SimulatedCard): Promise<BareReader> {
    const context = (await loadPcsclite())();
    const readers: NativeReader[] = [];
    // What is said while it closes is no failure.
    context.on('error', () => {});
    const native = await new Promise<NativeReader>((resolve) => {
      context.on('reader', (reader) => {
        readers.push(reader);
        reader.on('error', () => {});
        if (address === `pcsc:${reader.name}`) setImmediate(resolve, reader);
      });
    });
    return new BareReader(native, () => {
      for (const reader of readers) reader.close();
      context.close();
    });
  }

  async measure(group: number): Promise<number> {
    const options = { share_mode: SHARE_EXCLUSIVE, protocol: ANY_PROTOCOL };
    const protocol = await promisify<number>((callback) => this.#native.connect(options, callback));
    await wakeCard(this.#channel(protocol));
    const data = sealCardParts(group, 1)[0]!;
    const command = Buffer.from(encodeCommand({ cla: CLA_MODULE, ins: INS.DECODE, p1: 0, p2: 0, data, le: 256 }));
    await this.#loop(command, protocol, 1);
    const seconds = await this.#loop(command, protocol, ROUND_TRIPS);
    await promisify<void>((callback) => this.#native.disconnect(RESET_CARD, (error) => callback(error)));
    return ROUND_TRIPS / seconds;
  }

  #loop(command: Buffer, protocol: number, count: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const native = this.#native;
      const start = performance.now();
      let left = count;
      const next = (error: unknown, answer: Buffer) => {
        if (error || answer.length !== ANSWER_OCTETS) {
          setImmediate(reject, new Error(`DECODE failed in the bare loop: ${String(error)}`));
        } else if (--left > 0) {
          native.transmit(command, ANSWER_OCTETS, protocol, next);
        } else {
          setImmediate(resolve, (performance.now() - start) / 1000);
        }
      };
      native.transmit(command, ANSWER_OCTETS, protocol, next);
    });
  }

  /** For the commands before the loop. */
  #channel(protocol: number): CardChannel {
    return {
      atr: new Uint8Array(0),
      transmit: (command) =>
        promisify<Buffer>((callback) => this.#native.transmit(Buffer.from(command), 258, protocol, callback)),
      close: async () => {},
    };
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

function promisify<T>(start: (callback: NativeCallback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) setImmediate(reject, error);
      else setImmediate(resolve, value);
    });
  });
}
