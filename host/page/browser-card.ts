import type { CardChannel } from '../../apdu/card-channel.ts';
import { TransportError } from '../../apdu/errors.ts';
import { PageStore } from '../../card-sim/soft/memory/page-store.ts';
import { readStateFile } from '../../card-sim/soft/memory/state-content.ts';
import { SoftCard } from '../../card-sim/soft/soft-card.ts';
import { SoftChannel } from '../transport/card/soft/soft-channel.ts';

/** Octets of a soft card's file at most. */
const MAX_FILE = 1024 * 1024;
const NAME = 'card';

/** The soft card that a page keeps in its browser. */
export class BrowserCard {
  readonly #store: PageStore;
  #card: SoftCard | undefined;

  /** @throws TransportError `CARD_IN_USE` when another tab has it, `SOFT_CARD_FILE` when the browser keeps nothing. */
  static async open(): Promise<BrowserCard> {
    const store = await PageStore.open(NAME);
    return new BrowserCard(store);
  }

  private constructor(store: PageStore) {
    this.#store = store;
    const image = store.load();
    if (image !== undefined) this.#card = insert(image, store);
  }

  /** Whether an issuer's card was brought here. */
  get hasCard(): boolean {
    return this.#card !== undefined;
  }

  /**
   * Takes the card in that a file holds. The file must not be used any more: both would be the same card.
   * @throws FormatError when the file is not a soft card.
   * @throws TransportError `CARD_IN_USE` when there is a card here already, `SOFT_CARD_FILE` when it cannot be kept.
   */
  async bringIn(file: Blob): Promise<void> {
    if (this.hasCard) throw new TransportError('CARD_IN_USE', 'there is a card in this browser already; it was kept');
    const { image } = readStateFile(new Uint8Array(await file.slice(0, MAX_FILE).arrayBuffer()));
    const card = insert(image, this.#store);
    this.#store.save(image);
    await this.#store.sync();
    this.#card = card;
    // A browser that is short of room takes first what it was not asked to keep.
    await navigator.storage.persist();
  }

  /** Opens the card anew. A channel opened before must be closed. @throws TransportError `NO_CARD` when none is here. */
  openChannel(): CardChannel {
    if (this.#card === undefined) {
      throw new TransportError('NO_CARD', 'there is no card in this browser yet; choose the file of a soft card');
    }
    return new SoftChannel(this.#card);
  }
}

/** @param image what the store held when it was opened: it tells that once. */
function insert(image: Uint8Array, store: PageStore): SoftCard {
  return new SoftCard({ load: () => image, save: (changed) => store.save(changed), sync: () => store.sync() });
}
