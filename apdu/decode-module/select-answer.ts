import { FormatError } from '../errors.ts';
import { findTlv, parseTlv, type Tlv } from '../iso7816/ber-tlv.ts';
import { SELECT_ANSWER } from '../layout/card.ts';
import { concat, fromHex, readUint, writeUint } from '../octets.ts';

/** AID of the applet, `firmware-notes/protocol.md` 2.1. */
export const MODULE_AID: Uint8Array = fromHex('F0544F4C4C4341535401');

/** Tags of ISO/IEC 7816-4: file control information, its application identifier, its proprietary part. */
const TEMPLATE = 0x6f;
const AID = 0x84;
const PROPRIETARY = 0xa5;

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

/** Of a card with an APDU buffer of 133 octets, the least that Java Card 2.2.2 promises. */
const MIN_MAX_SPAN = 80;
/** Octets of the longest span, that of a card whose APDU buffer limits nothing (protocol 2.1). */
export const MAX_SPAN = 208;
const MIN_MAX_COMMAND_DATA = 127;

export function hasCapability(answer: SelectAnswer, capability: Capability): boolean {
  return ((answer.capabilities >>> CAPABILITY[capability]) & 1) === 1;
}

type FieldName = keyof typeof SELECT_ANSWER;

/** Reads the answer to SELECT. @throws FormatError when it is not that of a decode module. */
export function parseSelectAnswer(octets: Uint8Array): SelectAnswer {
  const template = findTlv(parseTlv(octets), TEMPLATE)?.children ?? [];
  const objects = findTlv(template, PROPRIETARY)?.children ?? [];
  const lifeOctet = uintOf(objects, 'life');
  const life = lifeStateOf(lifeOctet);
  if (life === undefined) throw new FormatError(`life state ${lifeOctet} is unknown; a newer tollcast may know it`);
  const answer = {
    version: uintOf(objects, 'version'),
    cardId: valueOf(objects, 'cardId').slice(),
    life,
    capabilities: uintOf(objects, 'capabilities'),
    maxSpan: uintOf(objects, 'maxSpan'),
    maxCommandData: uintOf(objects, 'maxCommandData'),
    currency: uintOf(objects, 'currency'),
  };
  if (answer.maxSpan < MIN_MAX_SPAN || answer.maxSpan % 16 !== 0 || answer.maxCommandData < MIN_MAX_COMMAND_DATA) {
    throw new FormatError('the module claims a span or command length that no decode module has; it is faulty');
  }
  return answer;
}

function uintOf(objects: readonly Tlv[], name: FieldName): number {
  return readUint(valueOf(objects, name), 0, SELECT_ANSWER[name].size);
}

function valueOf(objects: readonly Tlv[], name: FieldName): Uint8Array {
  const { tag, size } = SELECT_ANSWER[name];
  const value = findTlv(objects, tag)?.value;
  if (value?.length !== size)
    throw new FormatError(
      `this is not the SELECT answer of a decode module: ${name} is missing; check that it is the card you meant`,
    );
  return value;
}

/** Makes the 51 octets that a card answers. */
export function encodeSelectAnswer(answer: SelectAnswer): Uint8Array {
  const objects = concat(
    uint('version', answer.version),
    tlv(SELECT_ANSWER.cardId.tag, answer.cardId),
    uint('life', LIFE[answer.life]),
    uint('capabilities', answer.capabilities),
    uint('maxSpan', answer.maxSpan),
    uint('maxCommandData', answer.maxCommandData),
    uint('currency', answer.currency),
  );
  return tlv(TEMPLATE, concat(tlv(AID, MODULE_AID), tlv(PROPRIETARY, objects)));
}

function uint(name: FieldName, value: number): Uint8Array {
  const { tag, size } = SELECT_ANSWER[name];
  const octets = new Uint8Array(size);
  writeUint(octets, 0, size, value);
  return tlv(tag, octets);
}

/** A data object with a tag of one octet and a value of at most 127. */
function tlv(tag: number, value: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(tag, value.length), value);
}
