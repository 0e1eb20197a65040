import type { KeyEntry } from '../../../apdu/decode-module/keys/key-list.ts';
import { ROOT_NODE } from '../../../apdu/decode-module/keys/key-tree.ts';
import { isPersonal, KIND } from '../../../apdu/decode-module/kinds.ts';

/** The name of a key: kind, service and id. */
type KeyName = Pick<KeyEntry, 'kind' | 'service' | 'keyId'>;

/** What a message says of the key that it is wrapped under. */
export interface ParentName {
  readonly parentKind: number;
  readonly service: number;
  readonly parentId: number;
}

/** The keys that the card holds, as it lists them and as it takes more. No message goes to it whose parent is not here. */
export class HeldKeys {
  readonly #names = new Set<string>();
  /** Services of which seeds are held; which slot they are for is the card's business. */
  readonly #seeded = new Set<number>();

  /** The card lists what it holds. */
  replace(entries: readonly KeyName[]): void {
    this.#names.clear();
    this.#seeded.clear();
    for (const entry of entries) this.add(entry);
  }

  add({ kind, service, keyId }: KeyName): void {
    this.#names.add(nameOf(kind, service, keyId));
    if (kind === KIND.seeds) this.#seeded.add(service);
  }

  /** The card says that it does not hold the parent of a message. */
  lacksParent({ parentKind, service, parentId }: ParentName): void {
    if (parentKind === KIND.slot) this.#seeded.delete(service);
    else this.#names.delete(nameOf(parentKind, service, parentId));
  }

  /** Whether the parent of a message is on the card; of one under a slot, seeds and the root of the tree. */
  hasParent({ parentKind, service, parentId }: ParentName): boolean {
    if (isPersonal(parentKind)) return true;
    if (parentKind !== KIND.slot) return this.#names.has(nameOf(parentKind, service, parentId));
    return this.#seeded.has(service) && this.#names.has(nameOf(KIND.node, service, ROOT_NODE));
  }
}

function nameOf(kind: number, service: number, keyId: number): string {
  return `${kind}:${service}:${keyId}`;
}
