import type { KeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { ROOT_NODE } from '../../../apdu/decode-module/keys/key-tree.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';

/**
 * Says which key message of one sender has its turn at the card. Parents come before children, and kinds of key take
 * turns. No message is authentic yet: whoever forges one kind without end gets every other turn at most.
 */
export class KeyTurns {
  /** Rank of the message that had its turn last. */
  #lastRank = 0;

  /**
   * @param due messages to be loaded, in the order in which they came.
   * @returns undefined when nothing is due.
   */
  next<Due extends { readonly message: KeyMessage }>(due: Iterable<Due>): Due | undefined {
    let first: Due | undefined;
    let inTurn: Due | undefined;
    for (const key of due) {
      first = lowerRank(first, key);
      if (rank(key) > this.#lastRank) inTurn = lowerRank(inTurn, key);
    }
    return inTurn ?? first;
  }

  /** A message has its turn. */
  take(key: { readonly message: KeyMessage }): void {
    this.#lastRank = rank(key);
  }
}

/** Whether one key may be the parent of another. */
export function isParent(parent: KeyMessage, child: KeyMessage): boolean {
  if (child.parentKind === KIND.slot && child.service === parent.service) {
    return parent.kind === KIND.seeds || (parent.kind === KIND.node && parent.keyId === ROOT_NODE);
  }
  return child.parentKind === parent.kind && child.service === parent.service && child.parentId === parent.keyId;
}

/** Content keys come last, as they may need seeds and the key tree. */
function rank({ message: { kind } }: { readonly message: KeyMessage }): number {
  return kind === KIND.content || kind === KIND.blind ? Infinity : kind;
}

/** Of two that rank alike the first stays, so that each has its turn. */
function lowerRank<Due extends { readonly message: KeyMessage }>(best: Due | undefined, key: Due): Due {
  return best === undefined || rank(key) < rank(best) ? key : best;
}
