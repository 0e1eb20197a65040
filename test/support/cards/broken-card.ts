import { separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { deriveContentKeysByHand, type HandUnwrapped, unwrapByHand } from './keys-by-hand.ts';
import { type ContentKeys, type HandOpened, openByHand } from './open-by-hand.ts';

/**
 * A card whose owner has read its keys out: it takes every key that it can unwrap, whatever its time, number or order,
 * and forgets none. What such a card cannot open, no host makes any card open.
 */
export class BrokenCard {
  readonly #service: number;
  readonly #downlinkKey: Uint8Array;
  readonly #headEnd: Uint8Array | undefined;
  /** Keys by kind and id; an id may have had several. */
  readonly #keys = new Map<string, HandUnwrapped[]>();
  readonly #contents = new Map<number, ContentKeys[]>();

  /**
   * @param downlinkKey of the card, 16 octets.
   * @param headEnd the head-end's static point, 65 octets, where the card has it.
   */
  constructor(service: number, downlinkKey: Uint8Array, headEnd?: Uint8Array) {
    this.#service = service;
    this.#downlinkKey = downlinkKey;
    this.#headEnd = headEnd;
  }

  /** Takes what it can of these key messages, in whatever order they come. */
  learn(messages: Iterable<Uint8Array>): void {
    let waiting = [...messages]
      .flatMap((octets) => (octets[0] === KIND.combinedSection ? separate(octets) : [octets]))
      .map((octets) => Buffer.from(octets));
    for (let before = Infinity; waiting.length < before;) {
      before = waiting.length;
      waiting = waiting.filter((message) => !this.#take(message));
    }
  }

  /** Whether it has a content key of this id. */
  hasContent(contentKeyId: number): boolean {
    return this.#contents.has(contentKeyId);
  }

  /** @param packets of one group. @returns what is in it; undefined when no key opens it. */
  open(packets: readonly Uint8Array[]): HandOpened | undefined {
    for (const keys of this.#contents.get(contentKeyOf(packets)) ?? []) {
      try {
        return openByHand(packets, keys);
      } catch {
        // The id was given to another key, too.
      }
    }
    return undefined;
  }

  #take(message: Buffer): boolean {
    const isPersonal = message[24] === KIND.unique;
    const parents = isPersonal
      ? [this.#downlinkKey]
      : (this.#keys.get(`${message[24]} ${message.readUInt32BE(28)}`) ?? []).map(({ key }) => key);
    for (const parent of parents) {
      try {
        this.#keep(unwrapByHand(message, parent, this.#headEnd));
        return true;
      } catch {
        // It is under another key of this id, or for another card.
      }
    }
    return false;
  }

  #keep(unwrapped: HandUnwrapped): void {
    const name = `${unwrapped.kind} ${unwrapped.keyId}`;
    this.#keys.set(name, [...(this.#keys.get(name) ?? []), unwrapped]);
    if (unwrapped.kind !== KIND.content) return;
    const contents = this.#contents.get(unwrapped.keyId) ?? [];
    this.#contents.set(unwrapped.keyId, [...contents, deriveContentKeysByHand(this.#service, unwrapped)]);
  }
}

/** Id of the content key of a group, which stands in the clear. */
function contentKeyOf(packets: readonly Uint8Array[]): number {
  return Buffer.from(packets[0]!).readUInt32BE(12 + 14);
}
