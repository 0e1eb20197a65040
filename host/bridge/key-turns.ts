import type { KeyMessage } from '../../apdu/decode-module/keys/key-message.ts';
import { ROOT_NODE } from '../../apdu/decode-module/keys/key-tree.ts';
import { isPersonal, KIND } from '../../apdu/decode-module/kinds.ts';

/** Loads of others for which a key waits whose parent is not known to be on the card; a purchase with its tree has fewer. */
const MAX_PASSED_OVER = 32;

/**
 * Whose turn it is at the card: parents come before children, and kinds of key whose parent is on the card take turns. None of them is
 * authentic yet: whoever forges one kind without end takes no more than every other turn from the rest.
 */
export class KeyTurns {
  /** Of the message that had its turn last. */
  #lastRank = 0;
  /** Turns since one whose parent was not known to be on the card. */
  #passedOver = 0;

  /**
   * @param due in the order in which they came.
   * @param loaded what the card is known to hold.
   * @returns undefined when nothing is due.
   */
  next(due: Iterable<KeyMessage>, loaded: readonly KeyMessage[]): KeyMessage | undefined {
    let first: KeyMessage | undefined;
    let inTurn: KeyMessage | undefined;
    let orphan: KeyMessage | undefined;
    for (const message of due) {
      if (isOrphan(message, loaded)) {
        orphan = lower(orphan, message);
      } else {
        first = lower(first, message);
        if (rank(message) > this.#lastRank) inTurn = lower(inTurn, message);
      }
    }
    // The card may hold a parent from before that nobody announces any more.
    if (orphan !== undefined && this.#passedOver >= MAX_PASSED_OVER) return orphan;
    return inTurn ?? first ?? orphan;
  }

  /** A message has its turn. */
  took(message: KeyMessage, loaded: readonly KeyMessage[]): void {
    this.#lastRank = rank(message);
    this.#passedOver = isOrphan(message, loaded) ? 0 : this.#passedOver + 1;
  }
}

/** Whether a key that the card lacked may be there now that another is. */
export function isParent(parent: KeyMessage, child: KeyMessage): boolean {
  if (child.parentKind === KIND.slot && child.service === parent.service) {
    return parent.kind === KIND.seeds || (parent.kind === KIND.node && parent.keyId === ROOT_NODE);
  }
  return child.parentKind === parent.kind && child.service === parent.service && child.parentId === parent.keyId;
}

/** Whether a message comes under a key of which nothing says that the card holds it. A slot needs seeds and the root both. */
function isOrphan(message: KeyMessage, loaded: readonly KeyMessage[]): boolean {
  if (isPersonal(message.parentKind)) return false;
  const parents = loaded.filter((parent) => isParent(parent, message));
  if (message.parentKind !== KIND.slot) return parents.length === 0;
  return [KIND.seeds, KIND.node].some((kind) => parents.every((parent) => parent.kind !== kind));
}

/** Content keys come last: a slot needs seeds and the root of the key tree. */
function rank({ kind }: KeyMessage): number {
  return kind === KIND.content || kind === KIND.blind ? Infinity : kind;
}

/** The earlier one of those that rank alike, so that each has its turn. */
function lower(best: KeyMessage | undefined, message: KeyMessage): KeyMessage {
  return best === undefined || rank(message) < rank(best) ? message : best;
}
