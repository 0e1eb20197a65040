import type { CardChannel } from '../../apdu/card-channel.ts';
import type { CbcFactory } from '../../apdu/decode-module/keys/aes-cbc.ts';
import { TransportError } from '../../apdu/errors.ts';
import { SoftChannel } from '../../host/transport/card/soft/soft-channel.ts';
import { loadOpensslCbc } from '../../host/transport/crypto/node-openssl-cbc.ts';
import { StateFile } from '../soft/memory/state-file.ts';
import { SoftCard } from '../soft/soft-card.ts';
import type { CardCounts, CardMemory, CutPoint, SimulatedCard } from './simulated-card.ts';

/** The soft module, in a reader that is not there. */
export class SoftSimulation implements SimulatedCard {
  readonly kind = 'soft';
  readonly address: string;
  readonly memory: CardMemory = {
    read: () => this.#card.memory,
    write: (image) => {
      this.#channel?.pull();
      this.#card.restore(image);
    },
  };
  readonly #file: StateFile | undefined;
  readonly #card: SoftCard;
  #present = true;
  /** The one whose commands reach the card. */
  #channel: SoftChannel | undefined;

  private constructor(
    path: string | undefined,
    file: StateFile | undefined,
    apduBuffer: number | undefined,
    makeCipher: CbcFactory | undefined,
  ) {
    this.address = path === undefined ? 'soft' : `soft:${path}`;
    this.#file = file;
    this.#card = new SoftCard(file, undefined, apduBuffer, makeCipher);
  }

  /**
   * @param path of the file that keeps the card; without it the card is in memory.
   * @param apduBuffer octets of its APDU buffer, 133 to 261.
   * @throws FormatError when the file is not a soft card.
   * @throws TransportError `CARD_IN_USE`, or `SOFT_CARD_FILE` when the file cannot be read.
   */
  static async start(path?: string, apduBuffer?: number): Promise<SoftSimulation> {
    const makeCipher = await loadOpensslCbc();
    const file = path === undefined ? undefined : new StateFile(path);
    try {
      return new SoftSimulation(path, file, apduBuffer, makeCipher);
    } catch (error) {
      file?.close();
      throw error;
    }
  }

  async channel(): Promise<CardChannel> {
    if (!this.#present) throw new TransportError('NO_CARD', 'the soft card is not in its reader; insert it');
    this.#channel?.pull();
    this.#channel = new SoftChannel(this.#card, { onPowerLoss: () => (this.#present = false) });
    return this.#channel;
  }

  async pull(): Promise<void> {
    this.#present = false;
    this.#channel?.pull();
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
    await this.pull();
    this.#file?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
