import { MOST_MONEY } from '../../apdu/decode-module/ceilings.ts';
import { type ContentCiphers, contentCiphers } from '../../apdu/decode-module/card-part.ts';
import { keyMessageLength } from '../../apdu/decode-module/key-message.ts';
import { splitKey } from '../../apdu/decode-module/key-pair.ts';
import { KIND, MESSAGE_VERSION } from '../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { readUint } from '../../apdu/octets.ts';
import type { CardKey, ContentKey, SegmentKey, ServiceKey } from './keys.ts';
import { dropBelow, slotOf } from './key-slots.ts';
import type { PersistentState } from './persistent-state.ts';
import { tagFits } from './tag.ts';
import type { TransientState } from './transient-state.ts';

const BODY_AT = 48;
const SHORTEST = 56;
/** Tariffs by their octet; `firmware-notes/protocol.md` 4.3. */
const TARIFF = { free: 0, octets: 1, duration: 2, flat: 3 } as const;
const SUITE = 1;
const NEVER_ENDS = 0x1_0000_0000;

/** The parent of a message, whatever its kind. */
interface Parent {
  /** None: the unique key. */
  readonly key: CardKey | undefined;
  readonly ciphers: ContentCiphers;
}

/** LOAD KEY; `firmware-notes/protocol.md` 4.4. @returns the status word. */
export function loadKey(persistent: PersistentState, transient: TransientState, message: Uint8Array): number {
  // Step 1.
  if (message.length < SHORTEST) return STATUS.CRYPTO;
  const parentKind = message[24]!;
  const parent = findParent(persistent, transient, message);
  if (parent === undefined) return STATUS.UNKNOWN_KEY;
  // Step 2.
  const kind = message[0]!;
  if (!isAuthentic(message, kind, parentKind, parent.ciphers)) return STATUS.CRYPTO;
  // Step 3.
  if (!mayCarry(parentKind, kind)) return STATUS.WRONG_PARENT;
  if (!fieldsFit(message, kind, parentKind)) return STATUS.BAD_FIELD;
  // Step 4.
  const service = readUint(message, 4, 4);
  const id = readUint(message, 8, 4);
  const number = readUint(message, 20, 4);
  if (parentKind === KIND.unique && persistent.window.refuses(number)) {
    const held = persistent.services.some((key) => key?.service === service && key.id === id && key.number === number);
    return held ? STATUS.DONE : STATUS.OLD_NUMBER;
  }
  // Step 5.
  const from = Math.max(readUint(message, 12, 4), parent.key?.from ?? 0);
  const to = Math.min(readUint(message, 16, 4), parent.key?.to ?? NEVER_ENDS);
  if (from >= to) return STATUS.OUTSIDE_VALIDITY;
  // Steps 6 and 7.
  const key = parent.ciphers.encryption.decrypt(message.subarray(32, BODY_AT));
  const body = message.slice(BODY_AT, message.length - tagLength(parentKind));
  if (parent.key === undefined)
    return storeService(persistent, transient, { service, id, from, to, number, body, key });
  if (parent.key.kind === KIND.content) return STATUS.WRONG_PARENT;
  const base = { service, id, from, to, ciphers: contentCiphers(splitKey(kind, service, id, key)) };
  if (parent.key.kind === KIND.service && kind === KIND.segment) {
    storeSegment(transient, { ...base, kind: KIND.segment, purchase: parent.key });
    return STATUS.DONE;
  }
  return storeContent(persistent, transient, readContent(base, body, parent.key), body[2]!);
}

function findParent(persistent: PersistentState, transient: TransientState, message: Uint8Array): Parent | undefined {
  const service = readUint(message, 4, 4);
  const id = readUint(message, 28, 4);
  const isIt = (key: CardKey | undefined): boolean => key?.service === service && key.id === id;
  let key: CardKey | undefined;
  switch (message[24]) {
    case KIND.unique:
      return id === persistent.serial ? { key: undefined, ciphers: persistent.keys.downlink } : undefined;
    case KIND.service:
      key = persistent.services.find(isIt);
      break;
    case KIND.segment:
      key = transient.segments.find(isIt);
      break;
    case KIND.content:
      key = transient.contents.find(isIt);
      break;
    default:
      return undefined;
  }
  return key === undefined ? undefined : { key, ciphers: key.ciphers };
}

function isAuthentic(message: Uint8Array, kind: number, parentKind: number, parent: ContentCiphers): boolean {
  return (
    message[1] === MESSAGE_VERSION &&
    readUint(message, 2, 2) === message.length &&
    (kind === KIND.service || kind === KIND.segment || kind === KIND.content) &&
    message.length === keyMessageLength(kind, parentKind === KIND.unique ? parentKind : KIND.service) &&
    tagFits(parent.mac, message, tagLength(parentKind))
  );
}

function tagLength(parentKind: number): number {
  return parentKind === KIND.unique ? 16 : 8;
}

/** The table of 4.1. */
function mayCarry(parentKind: number, kind: number): boolean {
  switch (parentKind) {
    case KIND.unique:
      return kind === KIND.service;
    case KIND.service:
      return kind === KIND.segment || kind === KIND.content;
    case KIND.segment:
      return kind === KIND.content;
    default:
      return false;
  }
}

function fieldsFit(message: Uint8Array, kind: number, parentKind: number): boolean {
  if (message[25] !== 0 || message[26] !== 0 || message[27] !== 0) return false;
  if (readUint(message, 4, 4) === 0 || readUint(message, 12, 4) >= readUint(message, 16, 4)) return false;
  if (parentKind !== KIND.unique && readUint(message, 20, 4) !== 0) return false;
  if (kind === KIND.service) {
    const quantum = readUint(message, BODY_AT + 18, 6);
    return quantum >= 1 && quantum <= Number(MOST_MONEY) && isZero(message, BODY_AT + 24, 8);
  }
  if (kind === KIND.content) {
    const tariff = message[BODY_AT]!;
    return (
      tariff <= TARIFF.flat &&
      message[BODY_AT + 1] === 0 &&
      message[BODY_AT + 2]! <= 3 &&
      message[BODY_AT + 3] === SUITE &&
      (tariff !== TARIFF.free || isZero(message, BODY_AT + 4, 4)) &&
      isZero(message, BODY_AT + 12, 4) &&
      isZero(message, BODY_AT + 36, 12)
    );
  }
  return true;
}

function isZero(octets: Uint8Array, at: number, length: number): boolean {
  return octets.subarray(at, at + length).every((octet) => octet === 0);
}

function storeService(
  persistent: PersistentState,
  transient: TransientState,
  purchase: Parameters<PersistentState['writeService']>[1],
): number {
  let slot = slotOf(persistent.services, purchase.service, purchase.id);
  if (slot < 0) slot = persistent.services.indexOf(undefined);
  if (slot < 0) return STATUS.NO_SLOT;
  const before = persistent.services[slot];
  persistent.writeService(slot, purchase);
  if (before !== undefined) dropBelow(transient, before);
  return STATUS.DONE;
}

function storeSegment(transient: TransientState, key: SegmentKey): void {
  const { segments } = transient;
  let slot = slotOf(segments, key.service, key.id);
  if (slot < 0) slot = segments.indexOf(undefined);
  if (slot < 0) {
    slot = 0;
    segments.forEach((held, index) => {
      if (held!.to < segments[slot]!.to) slot = index;
    });
  }
  const before = segments[slot];
  segments[slot] = key;
  if (before !== undefined) dropBelow(transient, before);
}

function readContent(
  base: Pick<ContentKey, 'service' | 'id' | 'from' | 'to' | 'ciphers'>,
  body: Uint8Array,
  parent: ServiceKey | SegmentKey,
): ContentKey {
  return {
    ...base,
    kind: KIND.content,
    parent,
    purchase: parent.kind === KIND.service ? parent : parent.purchase,
    tariff: body[0]!,
    price: readUint(body, 4, 4),
    segment: readUint(body, 8, 4),
    firstSsrc: readUint(body, 16, 4),
    secondSsrc: readUint(body, 20, 4),
  };
}

/** Steps 6 and 7 for a content key. @param classes as in the body. */
function storeContent(
  persistent: PersistentState,
  transient: TransientState,
  key: ContentKey,
  classes: number,
): number {
  const classBit = persistent.moduleClass === 1 ? 1 : 2;
  if ((classes & classBit) === 0) return STATUS.CLASS_REFUSED;
  if (key.price > ceilingFor(key.tariff, key.purchase)) return STATUS.ABOVE_CEILING;
  const { contents, session, highestMediaTime } = transient;
  let slot = slotOf(contents, key.service, key.id);
  if (slot < 0) slot = contents.indexOf(undefined);
  if (slot < 0) slot = contents.findIndex((held) => held!.to <= highestMediaTime);
  if (slot < 0) slot = contents.findIndex((held) => held!.service !== session?.service);
  if (slot < 0) return STATUS.NO_SLOT;
  contents[slot] = key;
  return STATUS.DONE;
}

function ceilingFor(tariff: number, purchase: ServiceKey): number {
  switch (tariff) {
    case TARIFF.octets:
      return purchase.perMegabyte;
    case TARIFF.duration:
      return purchase.perHour;
    case TARIFF.flat:
      return purchase.flat;
    default:
      return 0;
  }
}
