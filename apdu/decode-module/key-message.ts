import { FormatError, OutOfRangeError } from '../errors.ts';
import { readUint, writeUint } from '../octets.ts';
import { AesCbc } from './aes-cbc.ts';
import { type KeyPair, splitKey } from './key-pair.ts';
import { type KeyKind, KIND, MESSAGE_VERSION, type ParentKind } from './kinds.ts';

/** The header of a key message; `firmware-notes/protocol.md` 4. Ids are u32, times u32 seconds since 1970. */
export interface KeyMessageHeader {
  readonly kind: KeyKind;
  readonly service: number;
  readonly keyId: number;
  /** First second in which the key holds. */
  readonly from: number;
  /** First second in which it no longer holds. */
  readonly to: number;
  /** Rises with every message under one card's unique key; 0 under any other parent. */
  readonly number: number;
  readonly parentKind: ParentKind;
  /** Under the unique key the serial of the card. */
  readonly parentId: number;
}

/** A key message as it travels; `octets` is what LOAD KEY takes. */
export interface KeyMessage extends KeyMessageHeader {
  readonly octets: Uint8Array;
  /** The body that the kind fixes: ceilings for a service, the content body, nothing for a segment. */
  readonly body: Uint8Array;
}

const HEADER = 32;
const BODY_AT = 48;
const BODY_LENGTH: Record<KeyKind, number> = { [KIND.service]: 32, [KIND.segment]: 0, [KIND.content]: 48 };

/** Octets of a message of this kind under this parent, with its tag. */
export function keyMessageLength(kind: KeyKind, parentKind: ParentKind): number {
  return BODY_AT + BODY_LENGTH[kind] + tagLength(parentKind);
}

function tagLength(parentKind: ParentKind): number {
  return parentKind === KIND.unique ? 16 : 8;
}

/** The working keys of a parent, as {@link sealKeyMessage} takes them. */
export function parentKeys(header: KeyMessageHeader, parentKey: Uint8Array): KeyPair {
  return splitKey(
    header.parentKind,
    header.parentKind === KIND.unique ? 0 : header.service,
    header.parentId,
    parentKey,
  );
}

/**
 * Wraps a key under its parent (encrypt, then MAC).
 * @param key the key inside, 16 octets.
 * @param parentKey the parent itself, 16 octets; it is split here.
 * @throws OutOfRangeError when the body's length is not the kind's, or the validity is empty.
 */
export function sealKeyMessage(
  header: KeyMessageHeader,
  key: Uint8Array,
  body: Uint8Array,
  parentKey: Uint8Array,
): KeyMessage {
  if (body.length !== BODY_LENGTH[header.kind]) {
    throw new OutOfRangeError(
      `the body of kind ${header.kind} has ${BODY_LENGTH[header.kind]} octets, not ${body.length}`,
    );
  }
  if (header.from >= header.to) {
    throw new OutOfRangeError(
      `a key cannot be valid from ${header.from} to ${header.to}; the end must come after the start`,
    );
  }
  const parent = parentKeys(header, parentKey);
  const octets = new Uint8Array(keyMessageLength(header.kind, header.parentKind));
  octets[0] = header.kind;
  octets[1] = MESSAGE_VERSION;
  writeUint(octets, 2, 2, octets.length);
  writeUint(octets, 4, 4, header.service);
  writeUint(octets, 8, 4, header.keyId);
  writeUint(octets, 12, 4, header.from);
  writeUint(octets, 16, 4, header.to);
  writeUint(octets, 20, 4, header.number);
  octets[24] = header.parentKind;
  writeUint(octets, 28, 4, header.parentId);
  octets.set(new AesCbc(parent.encryption).encrypt(key), HEADER);
  octets.set(body, BODY_AT);
  const tagAt = BODY_AT + body.length;
  octets.set(new AesCbc(parent.mac).mac(octets.subarray(0, tagAt)).subarray(0, octets.length - tagAt), tagAt);
  return { ...header, octets, body };
}

/**
 * Reads what a key message says of itself; nothing of it is authenticated, only the card can tell.
 * @param octets begins with a key message; what follows it is left alone.
 * @throws FormatError when it is none, or cut short.
 */
export function parseKeyMessage(octets: Uint8Array): KeyMessage {
  const kind = octets[0];
  const parentKind = octets[24];
  if (kind !== KIND.service && kind !== KIND.segment && kind !== KIND.content) {
    throw new FormatError(`no key message begins with kind ${kind ?? 'nothing'}; expected 10 to 12 (hexadecimal)`);
  }
  if (parentKind !== KIND.unique && parentKind !== KIND.service && parentKind !== KIND.segment) {
    throw new FormatError(`no key message has a parent of kind ${parentKind ?? 'nothing'}`);
  }
  const length = keyMessageLength(kind, parentKind);
  if (octets[1] !== MESSAGE_VERSION || readUint(octets, 2, 2) !== length || octets.length < length) {
    throw new FormatError(`a key message of kind ${kind} has version ${MESSAGE_VERSION} and ${length} octets`);
  }
  return {
    kind,
    service: readUint(octets, 4, 4),
    keyId: readUint(octets, 8, 4),
    from: readUint(octets, 12, 4),
    to: readUint(octets, 16, 4),
    number: readUint(octets, 20, 4),
    parentKind,
    parentId: readUint(octets, 28, 4),
    octets: octets.slice(0, length),
    body: octets.slice(BODY_AT, BODY_AT + BODY_LENGTH[kind]),
  };
}
