import { sha256 } from '@noble/hashes/sha2.js';
import { formatCardId, parseCardId } from '../../../apdu/decode-module/card-id.ts';
import { RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { ACKNOWLEDGEMENT, LOAD_ORDER, LOAD_REQUEST, RECEIPT } from '../../../apdu/layout/money.ts';
import { equalTags, fromHex, toHex } from '../../../apdu/octets.ts';

/**
 * What a card and its issuer exchange when they do not meet: which messages a file of each kind holds, how many of each,
 * and how it is made. The messages are those of `firmware-notes/protocol.md` 7.4 to 7.6, signed by card or issuer.
 */
const KINDS = {
  'load request': {
    messages: { 'load-request': [1, 1], receipt: [0, RECEIPT_RING] },
    madeBy: 'tollcast card request-load',
  },
  'load order': {
    messages: { 'load-order': [1, 1], acknowledgement: [0, 1] },
    madeBy: 'tollcast issuer answer-load',
  },
  'load proof': { messages: { 'load-proof': [1, 1] }, madeBy: 'tollcast card take-load' },
  receipts: { messages: { receipt: [1, RECEIPT_RING] }, madeBy: 'tollcast card send-receipts' },
  acknowledgement: { messages: { acknowledgement: [1, 1] }, madeBy: 'tollcast issuer take-receipts' },
} as const satisfies Record<string, KindOfFile>;

interface KindOfFile {
  readonly messages: Partial<Record<MessageName, readonly [min: number, max: number]>>;
  readonly madeBy: string;
}

const LAYOUTS = {
  'load-request': LOAD_REQUEST,
  'load-order': LOAD_ORDER,
  'load-proof': LOAD_ORDER,
  receipt: RECEIPT,
  acknowledgement: ACKNOWLEDGEMENT,
} as const;

export type CardFileKind = keyof typeof KINDS;
export type MessageName = keyof typeof LAYOUTS;

export interface CardFile {
  readonly kind: CardFileKind;
  /** 8 octets; the messages name the card themselves, under their tags. */
  readonly cardId: Uint8Array;
  readonly messages: readonly { readonly name: MessageName; readonly octets: Uint8Array }[];
}

/** Characters of a file at most: a load request with a ring of receipts is below half of it. */
export const MAX_CARD_FILE = 16_384;
/** It ends every file: it finds what a journey did to the text. Who made the messages is for their tags to say. */
const DIGEST = 'sha-256';

/** Writes a file as lines of text, each a name and hexadecimal digits, so that it can also travel in a mail. */
export function encodeCardFile({ kind, cardId, messages }: CardFile): string {
  const lines = [
    `tollcast ${kind} 1`,
    `card ${formatCardId(cardId)}`,
    ...messages.map(({ name, octets }) => `${name} ${toHex(octets)}`),
  ];
  const text = `${lines.join('\n')}\n`;
  return `${text}${DIGEST} ${digestOf(text)}\n`;
}

/**
 * Reads a file. Line ends may have become those of another system.
 * @param name of the file, for errors.
 * @throws TollcastError `CARD_FILE` when it is of another kind, was changed on its way, or is none at all.
 */
export function parseCardFile(text: string, kind: CardFileKind, name: string): CardFile {
  const { madeBy } = KINDS[kind];
  const refuse = (why: string) => new TollcastError('CARD_FILE', `${name} ${why}; name a file of: ${madeBy}`);
  if (text.length > MAX_CARD_FILE) throw refuse(`is too long for ${nameKind(kind)}`);
  const lines = text.trim().split(/\s*\n\s*/);
  const title = /^tollcast ([a-z ]{1,20}) (\d{1,4})$/.exec(lines[0] ?? '');
  if (title === null) throw refuse('is not a file of a card and its issuer');
  if (title[2] !== '1') throw refuse(`is of version ${title[2]}, which this program does not know`);
  if (title[1] !== kind) throw refuse(`holds ${nameKind(title[1])}, not ${nameKind(kind)}`);
  const last = lines.pop();
  if (last !== `${DIGEST} ${digestOf(`${lines.join('\n')}\n`)}`) throw refuse('was cut off or changed on its way');
  // What was written by a program of ours, and says so by its digest, is still read as if anybody had written it.
  try {
    const cardId = parseCardId(/^card (.{1,40})$/.exec(lines[1] ?? '')?.[1] ?? '');
    const messages = lines.slice(2).map(parseMessageLine);
    requireCounts(kind, messages);
    requireOneCard(cardId, messages);
    return { kind, cardId, messages };
  } catch (cause) {
    throw cause instanceof TollcastError && cause.code !== 'CARD_FILE' ? refuse('holds a damaged line') : cause;
  }
}

/** The messages of a file that have this name, in their order. */
export function messagesOf({ messages }: CardFile, name: MessageName): readonly Uint8Array[] {
  return messages.filter((message) => message.name === name).map(({ octets }) => octets);
}

function parseMessageLine(line: string): CardFile['messages'][number] {
  const [, name = '', digits = ''] = /^([a-z-]{1,20}) ([0-9a-f]{1,400})$/.exec(line) ?? [];
  if (!isMessageName(name) || digits.length !== 2 * LAYOUTS[name].length) {
    throw new TollcastError('FORMAT', 'this line holds no message; drop it');
  }
  return { name, octets: fromHex(digits) };
}

function requireCounts(kind: CardFileKind, messages: CardFile['messages']): void {
  const allowed: KindOfFile['messages'] = KINDS[kind].messages;
  for (const name of Object.keys(LAYOUTS).filter(isMessageName)) {
    const count = messages.filter((message) => message.name === name).length;
    const [min, max] = allowed[name] ?? [0, 0];
    if (count < min || count > max)
      throw new TollcastError('FORMAT', `${count} messages are not right here; drop them`);
  }
}

function requireOneCard(cardId: Uint8Array, messages: CardFile['messages']): void {
  if (messages.every(({ name, octets }) => equalTags(LAYOUTS[name].decode(octets).cardId, cardId))) return;
  throw new TollcastError('FORMAT', 'these messages are not all of one card; drop them');
}

function isMessageName(name: string): name is MessageName {
  return Object.hasOwn(LAYOUTS, name);
}

function digestOf(text: string): string {
  return toHex(sha256(new TextEncoder().encode(text)));
}

function nameKind(kind: string | undefined): string {
  if (kind === 'receipts') return kind;
  return `${kind === 'acknowledgement' ? 'an' : 'a'} ${kind}`;
}
