import type { CardChannel } from '../../../apdu/card-channel.ts';
import { type CardKind, type CardStore, SoftCard, startCard, StateFile } from '../../../card-sim/index.ts';
import type { PowerControl, CardUnderTest } from '../../attack/kit/card-under-test.ts';
import { type CardAddress, openCard } from '../../transport/card/card-address.ts';
import { InProcessChannel } from '../../transport/card/soft/in-process-card.ts';
import { sayWaiting } from '../options/card-option.ts';

/** A seat, and what was started for it. */
export interface OpenSeat extends CardUnderTest, AsyncDisposable {}

/** The seat of a card at an address. @throws TransportError, FormatError when a soft card's file cannot be read. */
export function seatAt(address: CardAddress, wait: boolean): OpenSeat {
  if (address.kind === 'soft') return new SoftSeat(address.file);
  return {
    moduleClass: 'card',
    open: () => openCard(address, { wait, onWaiting: sayWaiting }),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** The seat of a card that is started for it, blank, and gone afterwards. */
export async function simulatedSeat(kind: CardKind): Promise<OpenSeat> {
  if (kind === 'soft') return new SoftSeat();
  const card = await startCard({ kind });
  const power: PowerControl = { cut: (point) => card.cut(point), insert: () => card.insert() };
  return {
    moduleClass: 'card',
    power,
    open: () => card.channel(),
    [Symbol.asyncDispose]: () => card.close(),
  };
}

/** The last image that a soft card kept, in its file or in memory alone. */
class Kept implements CardStore {
  image: Uint8Array | undefined;
  readonly #file: StateFile | undefined;

  constructor(path: string | undefined) {
    this.#file = path === undefined ? undefined : new StateFile(path);
    this.image = this.#file?.load();
  }

  load(): Uint8Array | undefined {
    return this.image;
  }

  save(image: Uint8Array): void {
    this.#file?.save(image);
    this.image = image.slice();
  }

  close(): void {
    this.#file?.close();
  }
}

/** The soft module in the hands of its owner, who can do anything with it. */
class SoftSeat implements OpenSeat {
  readonly moduleClass = 'soft';
  readonly power: PowerControl = {
    cut: async (point) => this.#card.cut(point),
    insert: async () => {},
  };
  readonly memory = {
    read: (): Uint8Array => this.#kept.image?.slice() ?? new Uint8Array(0),
    write: (image: Uint8Array): void => {
      this.#card.powerOff();
      this.#kept.save(image);
      this.#card = new SoftCard(this.#kept);
    },
  };
  readonly #kept: Kept;
  #card: SoftCard;

  /** @param path of its file; without one it is blank, and gone afterwards. */
  constructor(path?: string) {
    this.#kept = new Kept(path);
    this.#card = new SoftCard(this.#kept);
  }

  async open(): Promise<CardChannel> {
    const card = this.#card;
    return new InProcessChannel({
      powerOn: () => card.powerOn(),
      transmit: (command) => card.transmit(command),
      close: () => card.powerOff(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#card.powerOff();
    this.#kept.close();
  }
}
