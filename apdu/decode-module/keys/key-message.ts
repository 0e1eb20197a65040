import { FormatError, OutOfRangeError } from '../../errors.ts';
import type { Values } from '../../layout/field-table.ts';
import { CEILINGS, CONTENT_TERMS, KEY_MESSAGE_HEADER, SEED_LABEL, SEEDS_OF_PART } from '../../layout/keys.ts';
import { MESSAGE_FRAME } from '../../layout/message-frame.ts';
import { isPairKind, isPersonal, type KeyKind, KIND, MESSAGE_VERSION, type ParentKind } from '../kinds.ts';
import { writeFrame } from '../signed-message.ts';
import { type WorkingKeys, deriveWorkingKeys } from '../working-keys.ts';
import { makeAesCbc } from './aes-cbc.ts';
import { EPHEMERAL_LENGTH, PRIVATE_LENGTH } from './p256.ts';

type Fields = Values<typeof KEY_MESSAGE_HEADER>;

/** The header of a key message; `firmware-notes/protocol.md` 4. Ids are u32, times u32 seconds since 1970. */
export interface KeyMessageHeader extends Omit<Fields, 'parentKind' | 'flags'> {
  readonly kind: KeyKind;
  readonly parentKind: ParentKind;
  /** Which part of a seed purchase it is; nothing else has flags. */
  readonly flags?: number;
}

/** A key message as it travels; `octets` is what LOAD KEY takes. */
export interface KeyMessage extends KeyMessageHeader {
  readonly octets: Uint8Array;
  /** Ceilings of a purchase, labels and ceilings of seeds, content terms, or nothing: kind and parent fix it. */
  readonly body: Uint8Array;
}

/** Working keys made of a private half and an ephemeral pair, for one message. */
export interface PairParent extends WorkingKeys {
  /** Both coordinates of the ephemeral point, 64 octets. */
  readonly ephemeral: Uint8Array;
}

/** Octets of a symmetric key. */
const KEY_LENGTH = 16;
/** Octets of the seeds in one message. */
const SEEDS_LENGTH = SEEDS_OF_PART * KEY_LENGTH;

/** Whether a number is a kind that a key message can carry. */
export function isKeyKind(kind: number | undefined): kind is KeyKind {
  return kind !== undefined && kind >= KIND.service && kind <= KIND.servicePair;
}

/** Whether a number is a kind that a key message can be wrapped under. */
export function isParentKind(kind: number | undefined): kind is ParentKind {
  switch (kind) {
    case KIND.unique:
    case KIND.cardPair:
    case KIND.service:
    case KIND.segment:
    case KIND.node:
    case KIND.servicePair:
    case KIND.slot:
      return true;
    default:
      return false;
  }
}

function wrappedLength(kind: KeyKind): number {
  if (kind === KIND.servicePair) return PRIVATE_LENGTH;
  return kind === KIND.seeds ? SEEDS_LENGTH : KEY_LENGTH;
}

/** Offset of the body in a message of this kind. */
export function keyBodyAt(kind: KeyKind): number {
  return KEY_MESSAGE_HEADER.length + wrappedLength(kind);
}

/** Octets of the body of a message of this kind under this parent. */
export function keyBodyLength(kind: KeyKind, parentKind: number): number {
  switch (kind) {
    case KIND.service:
    case KIND.servicePair:
      return CEILINGS.length;
    case KIND.segment:
      return isPersonal(parentKind) ? CEILINGS.length : 0;
    case KIND.content:
    case KIND.blind:
      return CONTENT_TERMS.length;
    case KIND.seeds:
      return SEEDS_OF_PART * SEED_LABEL.length + CEILINGS.length;
    case KIND.node:
      return 0;
  }
}

/** Octets of a message of this kind under this parent, with its tag. */
export function keyMessageLength(kind: KeyKind, parentKind: number): number {
  const ephemeral = isPairKind(parentKind) ? EPHEMERAL_LENGTH : 0;
  return keyBodyAt(kind) + keyBodyLength(kind, parentKind) + ephemeral + tagLength(parentKind);
}

/** Octets of the tag of a message under this parent. */
export function tagLength(parentKind: number): number {
  return isPersonal(parentKind) ? 16 : 8;
}

/** Makes the working keys of a parent, as {@link sealKeyMessage} takes them. */
export function deriveParentKeys(header: KeyMessageHeader, parentKey: Uint8Array): WorkingKeys {
  return deriveWorkingKeys(
    header.parentKind,
    header.parentKind === KIND.unique ? 0 : header.service,
    header.parentId,
    parentKey,
  );
}

/**
 * Wraps a key under its parent (encrypt, then MAC).
 * @param key the key inside, 16 octets; of seeds all eight, 128 octets; a private half, 32 octets.
 * @param parentKey the parent itself, 16 octets; for a slot its working keys; for a pair what `derivePairParent` makes.
 * @throws OutOfRangeError when the length of key or body is not the kind's, the parent's keys are not of its kind, or
 *   the validity is empty.
 */
export function sealKeyMessage(
  header: KeyMessageHeader,
  key: Uint8Array,
  body: Uint8Array,
  parentKey: Uint8Array | (WorkingKeys & Partial<PairParent>),
  makeCipher = makeAesCbc,
): KeyMessage {
  const { kind, parentKind } = header;
  const lengths = [wrappedLength(kind), keyBodyLength(kind, parentKind)] as const;
  if (key.length !== lengths[0] || body.length !== lengths[1]) {
    throw new OutOfRangeError(
      `kind ${kind} under kind ${parentKind} has a key of ${lengths[0]} octets and a body of ${lengths[1]}, not ` +
        `${key.length} and ${body.length}`,
    );
  }
  if (header.from >= header.to) {
    throw new OutOfRangeError(
      `a key cannot be valid from ${header.from} to ${header.to}; the end must come after the start`,
    );
  }
  const parent: WorkingKeys & Partial<PairParent> =
    parentKey instanceof Uint8Array ? deriveParentKeys(header, parentKey) : parentKey;
  const { ephemeral = new Uint8Array(0) } = parent;
  if (ephemeral.length !== (isPairKind(parentKind) ? EPHEMERAL_LENGTH : 0)) {
    throw new OutOfRangeError(
      `kind ${parentKind} has other working keys; take those of derivePairParent for pairs, and for nothing else`,
    );
  }
  const octets = new Uint8Array(keyMessageLength(kind, parentKind));
  KEY_MESSAGE_HEADER.write(octets, { flags: 0, ...header });
  writeFrame(octets, kind);
  octets.set(makeCipher(parent.encryption).encrypt(key), KEY_MESSAGE_HEADER.length);
  const bodyAt = keyBodyAt(kind);
  octets.set(body, bodyAt);
  octets.set(ephemeral, bodyAt + body.length);
  const tagAt = bodyAt + body.length + ephemeral.length;
  octets.set(
    makeCipher(parent.mac)
      .mac(octets.subarray(0, tagAt))
      .subarray(0, octets.length - tagAt),
    tagAt,
  );
  return { ...header, octets, body };
}

/**
 * Reads what a key message says. Nothing of it is authenticated; only the card can tell.
 * @param octets begins with a key message; what follows it is left alone.
 * @throws FormatError when it is not a key message, or is cut short.
 */
export function parseKeyMessage(octets: Uint8Array): KeyMessage {
  const kind = MESSAGE_FRAME.readUint(octets, 'kind');
  const parentKind = KEY_MESSAGE_HEADER.readUint(octets, 'parentKind');
  if (!isKeyKind(kind)) {
    throw new FormatError(`kind ${kind} is not that of a key message; expected 10 to 16 (hexadecimal)`);
  }
  if (!isParentKind(parentKind)) {
    throw new FormatError(`kind ${parentKind} is not that of a parent of a key message; drop it`);
  }
  const length = keyMessageLength(kind, parentKind);
  const version = MESSAGE_FRAME.readUint(octets, 'version');
  if (version !== MESSAGE_VERSION || MESSAGE_FRAME.readUint(octets, 'length') !== length || octets.length < length) {
    throw new FormatError(`a key message of kind ${kind} has version ${MESSAGE_VERSION} and ${length} octets`);
  }
  const bodyAt = keyBodyAt(kind);
  const { flags, ...header } = KEY_MESSAGE_HEADER.read(octets);
  return {
    ...header,
    kind,
    parentKind,
    octets: octets.slice(0, length),
    ...(flags === 0 ? {} : { flags }),
    body: octets.slice(bodyAt, bodyAt + keyBodyLength(kind, parentKind)),
  };
}
