import type { SimulatedCard } from '../../../card-sim/index.ts';
import { Bridge, type BridgeOptions } from '../../../host/bridge/index.ts';
import { nodeAead } from '../../../host/transport/crypto/node-aead.ts';
import { parseSource } from '../../../host/transport/network/datagram-source.ts';
import { SimulatedClock } from '../simulated-clock.ts';
import { MemorySink } from './bridge-run.ts';
import type { TestService } from './test-service.ts';

/** Where the genuine packets come from, and those of somebody else. */
export const SENDER = parseSource('192.0.2.1', 5000);
export const STRANGER = parseSource('192.0.2.66', 6666);

/** ms between two packets of the stream. */
const PACE = 2;

/** Datagrams and where each comes from. */
export type Forged = readonly (readonly [datagram: Uint8Array, source: number])[];

/** A bridge with a card, a clock that stands still, and no socket: each datagram comes when the test says so. */
export class FloodedBridge {
  readonly clock = new SimulatedClock();
  readonly sink = new MemorySink();
  readonly notices: string[] = [];
  readonly bridge: Bridge;
  readonly #stopping = new AbortController();
  readonly #end;

  constructor(card: SimulatedCard, options: Partial<BridgeOptions> = {}) {
    this.bridge = new Bridge({
      open: () => card.channel(),
      sink: this.sink,
      aead: nodeAead,
      clock: this.clock,
      onNotice: (line) => this.notices.push(line),
      ...options,
    });
    this.#end = this.bridge.run(this.#stopping.signal);
  }

  /** Lets the card be opened, and these keys be loaded. */
  async join(keys: readonly Uint8Array[], source = SENDER): Promise<void> {
    await this.clock.advance(10);
    this.bridge.receiveKeys(
      keys,
      keys.map(() => source),
    );
    await this.clock.advance(10);
  }

  receive(forged: Forged): void {
    this.bridge.receiveMedia(
      forged.map(([datagram]) => datagram.slice()),
      forged.map(([, source]) => source),
    );
  }

  /**
   * Lets these payloads come, a packet every 2 ms, and time for the last group.
   * @param flood what comes before each packet.
   */
  async play(
    service: TestService,
    payloads: readonly Uint8Array[],
    flood: (packet: Uint8Array) => Forged = () => [],
    source = SENDER,
  ): Promise<void> {
    for (const { packets } of service.seal(payloads)) {
      for (const { octets } of packets) {
        this.receive([...flood(octets), [octets, source]]);
        await this.clock.advance(PACE);
      }
    }
    await this.clock.advance(400);
  }

  stop() {
    this.#stopping.abort();
    return this.#end;
  }
}

/** Numbers that look random and are the same in every run: a 32-bit linear congruence (Numerical Recipes). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  octets(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.next(256));
  }
}
