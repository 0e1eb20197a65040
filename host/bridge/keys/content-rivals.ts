import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { KnownKey } from './known-keys.ts';

/** Other content keys that are loaded under the name of this one. */
export function* rivalsOf(all: Iterable<KnownKey>, { message, terms }: KnownKey): Generator<KnownKey, void, undefined> {
  if (terms === undefined) return;
  const salt = toHex(terms.masterSalt);
  for (const known of all) {
    if (known.state !== 'loaded' || known.terms === undefined) continue;
    const { kind, service, keyId } = known.message;
    if (kind !== message.kind || service !== message.service || keyId !== message.keyId) continue;
    // The same key under two segment keys has one salt.
    if (toHex(known.terms.masterSalt) !== salt) yield known;
  }
}

/** Whether the card holds what replaced a content key: that is under a later segment key (protocol 5.3). */
export function isReplaced(all: Iterable<KnownKey>, known: KnownKey): boolean {
  const { parentKind, parentId } = known.message;
  if (parentKind !== KIND.segment) return false;
  for (const { message } of rivalsOf(all, known)) {
    if (message.parentKind === KIND.segment && message.parentId > parentId) return true;
  }
  return false;
}
