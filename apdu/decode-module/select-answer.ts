import { FormatError } from '../errors.ts';
import { findTlv, parseTlv, type Tlv } from '../iso7816/ber-tlv.ts';
import { concat, fromHex, readUint, writeUint } from '../octets.ts';

/** AID of the applet, `firmware-notes/protocol.md` 2.1. */
export const MODULE_AID: Uint8Array = fromHex('F0544F4C4C4341535401');

/** Version of the page that this code follows. */
export const PROTOCOL_VERSION = 1;

/** The life of a card, `firmware-notes/protocol.md` 2. */
export const LIFE = { blank: 0x00, personalised: 0x01, active: 0x03, blocked: 0x07, terminated: 0x0f } as const;

export type LifeState = keyof typeof LIFE;

function isLifeState(name: string): name is LifeState {
  return name in LIFE;
}

const LIFE_STATES = Object.keys(LIFE).filter(isLifeState);

/** The life state of an octet, if it is one. */
export function lifeStateOf(octet: number): LifeState | undefined {
  return LIFE_STATES.find((state) => LIFE[state] === octet);
}

/** Bit numbers in the capabilities. */
export const CAPABILITY = {
  suite1: 0,
  octets: 1,
  duration: 2,
  flat: 3,
  scp03: 4,
  pin: 5,
  marks: 6,
  tree: 7,
  p256: 8,
  blind: 9,
} as const;

export type Capability = keyof typeof CAPABILITY;

/** What a module says of itself when it is selected. */
export interface SelectAnswer {
  /** Version of the page that it follows. */
  readonly version: number;
  /** 8 octets; zeros when blank. */
  readonly cardId: Uint8Array;
  readonly life: LifeState;
  /** As it came; ask with {@link hasCapability}. */
  readonly capabilities: number;
  /** Longest span in octets, a multiple of 16. */
  readonly maxSpan: number;
  /** Most octets of data in one command. */
  readonly maxCommandData: number;
  /** ISO 4217 number; 0 when blank. */
  readonly currency: number;
}

export function hasCapability(answer: SelectAnswer, capability: Capability): boolean {
  return ((answer.capabilities >>> CAPABILITY[capability]) & 1) === 1;
}

const FIELDS = {
  version: 0x80,
  cardId: 0x81,
  life: 0x82,
  capabilities: 0x83,
  maxSpan: 0x84,
  maxCommandData: 0x85,
  currency: 0x86,
};

/** @throws FormatError when it is not the answer of a decode module. */
export function parseSelectAnswer(octets: Uint8Array): SelectAnswer {
  const template = findTlv(parseTlv(octets), 0x6f)?.children ?? [];
  const row = findTlv(template, 0xa5)?.children ?? [];
  const cardId = field(row, 'cardId', 8);
  const lifeOctet = readUint(field(row, 'life', 1), 0, 1);
  const life = lifeStateOf(lifeOctet);
  if (life === undefined) throw new FormatError(`life state ${lifeOctet} is unknown; a newer tollcast may know it`);
  const answer = {
    version: readUint(field(row, 'version', 2), 0, 2),
    cardId: cardId.slice(),
    life,
    capabilities: readUint(field(row, 'capabilities', 4), 0, 4),
    maxSpan: readUint(field(row, 'maxSpan', 2), 0, 2),
    maxCommandData: readUint(field(row, 'maxCommandData', 2), 0, 2),
    currency: readUint(field(row, 'currency', 2), 0, 2),
  };
  if (answer.maxSpan < 208 || answer.maxSpan % 16 !== 0 || answer.maxCommandData < 255) {
    throw new FormatError('the module claims a span or command length that no decode module has; it is faulty');
  }
  return answer;
}

function field(row: readonly Tlv[], name: keyof typeof FIELDS, length: number): Uint8Array {
  const value = findTlv(row, FIELDS[name])?.value;
  if (value?.length !== length) throw new FormatError(`not the SELECT answer of a decode module: ${name} is missing`);
  return value;
}

/** The 51 octets of a module, as a card answers them. */
export function encodeSelectAnswer(answer: SelectAnswer): Uint8Array {
  const inner = concat(
    uint(FIELDS.version, 2, answer.version),
    Uint8Array.of(FIELDS.cardId, 8),
    answer.cardId,
    uint(FIELDS.life, 1, LIFE[answer.life]),
    uint(FIELDS.capabilities, 4, answer.capabilities),
    uint(FIELDS.maxSpan, 2, answer.maxSpan),
    uint(FIELDS.maxCommandData, 2, answer.maxCommandData),
    uint(FIELDS.currency, 2, answer.currency),
  );
  const template = concat(Uint8Array.of(0x84, MODULE_AID.length), MODULE_AID, Uint8Array.of(0xa5, inner.length), inner);
  return concat(Uint8Array.of(0x6f, template.length), template);
}

function uint(tag: number, size: number, value: number): Uint8Array {
  const object = new Uint8Array(2 + size);
  object[0] = tag;
  object[1] = size;
  writeUint(object, 2, size, value);
  return object;
}
