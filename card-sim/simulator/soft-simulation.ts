import type { CardChannel } from '../../apdu/card-channel.ts';
import { CardGoneError, TransportError } from '../../apdu/errors.ts';
import { InProcessChannel } from '../../host/transport/card/soft/in-process-card.ts';
import type { CardCounts, CutPoint, SimulatedCard } from './simulated-card.ts';
import { SoftCard } from '../soft/soft-card.ts';
import { StateFile } from '../soft/memory/state-file.ts';

/** The soft module in a reader that a test holds. */
export class SoftSimulation implements SimulatedCard {
  readonly kind = 'soft';
  readonly address: string;
  readonly #file: StateFile | undefined;
  readonly #card: SoftCard;
  #present = true;
  /** The channel whose commands reach the card; a number of its own for each. */
  #session = 0;

  /** @param state file; without it the card is in memory. */
  constructor(state?: string) {
    this.address = state === undefined ? 'soft' : `soft:${state}`;
    this.#file = state === undefined ? undefined : new StateFile(state);
    this.#card = new SoftCard(this.#file);
  }

  async channel(): Promise<CardChannel> {
    if (!this.#present) throw new TransportError('NO_CARD', 'the soft card is not in its reader; insert it');
    const session = ++this.#session;
    return new InProcessChannel({
      powerOn: () => this.#card.powerOn(),
      transmit: (command) => this.#transmit(session, command),
    });
  }

  #transmit(session: number, command: Uint8Array): Uint8Array {
    if (session !== this.#session) throw new CardGoneError();
    try {
      return this.#card.transmit(command);
    } catch (error) {
      this.#takeOut();
      throw error;
    }
  }

  #takeOut(): void {
    this.#present = false;
    this.#session++;
    this.#card.powerOff();
  }

  async pull(): Promise<void> {
    this.#takeOut();
  }

  async insert(): Promise<void> {
    this.#present = true;
  }

  async reset(): Promise<void> {
    this.#card.powerOn();
  }

  async erase(): Promise<void> {
    this.#card.erase();
  }

  async cut(point: CutPoint): Promise<void> {
    this.#card.cut(point);
  }

  async counts(): Promise<CardCounts> {
    return this.#card.counts;
  }

  async close(): Promise<void> {
    this.#takeOut();
    this.#file?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
