import type { KeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { ROOT_NODE } from '../../../apdu/decode-module/keys/key-tree.ts';
import { isPersonal, KIND } from '../../../apdu/decode-module/kinds.ts';

/**
 * Turns of other keys after which a key has its turn whose parent is not known to be on the card. A purchase with its
 * key tree has fewer messages.
 */
const MAX_PASSED_OVER = 32;

/**
 * Says which key message has its turn at the card. Parents come before children, and kinds of key whose parent is on
 * the card take turns. No message is authentic yet: whoever forges one kind without end gets every other turn at most.
 */
export class KeyTurns {
  /** Rank of the message that had its turn last. */
  #lastRank = 0;
  /** Turns since one of a key whose parent was not known to be on the card. */
  #passedOver = 0;

  /**
   * @param due messages to be loaded, in the order in which they came.
   * @param loaded messages that the card is known to hold.
   * @returns undefined when nothing is due.
   */
  next(due: Iterable<KeyMessage>, loaded: readonly KeyMessage[]): KeyMessage | undefined {
    let first: KeyMessage | undefined;
    let inTurn: KeyMessage | undefined;
    let orphan: KeyMessage | undefined;
    for (const message of due) {
      if (isOrphan(message, loaded)) {
        orphan = lowerRank(orphan, message);
      } else {
        first = lowerRank(first, message);
        if (rank(message) > this.#lastRank) inTurn = lowerRank(inTurn, message);
      }
    }
    // The card may hold a parent from before that nobody announces any more.
    if (orphan !== undefined && this.#passedOver >= MAX_PASSED_OVER) return orphan;
    return inTurn ?? first ?? orphan;
  }

  /** A message has its turn. */
  take(message: KeyMessage, loaded: readonly KeyMessage[]): void {
    this.#lastRank = rank(message);
    this.#passedOver = isOrphan(message, loaded) ? 0 : this.#passedOver + 1;
  }
}

/** Whether one key may be the parent of another. */
export function isParent(parent: KeyMessage, child: KeyMessage): boolean {
  if (child.parentKind === KIND.slot && child.service === parent.service) {
    return parent.kind === KIND.seeds || (parent.kind === KIND.node && parent.keyId === ROOT_NODE);
  }
  return child.parentKind === parent.kind && child.service === parent.service && child.parentId === parent.keyId;
}

/** Whether no parent of a key is known to be on the card. A key under a slot needs two: seeds and the tree's root. */
function isOrphan(message: KeyMessage, loaded: readonly KeyMessage[]): boolean {
  if (isPersonal(message.parentKind)) return false;
  const parents = loaded.filter((parent) => isParent(parent, message));
  if (message.parentKind !== KIND.slot) return parents.length === 0;
  return [KIND.seeds, KIND.node].some((kind) => parents.every((parent) => parent.kind !== kind));
}

/** Content keys come last, as they may need seeds and the key tree. */
function rank({ kind }: KeyMessage): number {
  return kind === KIND.content || kind === KIND.blind ? Infinity : kind;
}

/** Of two that rank alike the first stays, so that each has its turn. */
function lowerRank(best: KeyMessage | undefined, message: KeyMessage): KeyMessage {
  return best === undefined || rank(message) < rank(best) ? message : best;
}
