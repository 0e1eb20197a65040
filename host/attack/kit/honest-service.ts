import { randomBytes, randomInt } from 'node:crypto';
import { type CardHeader, contentCiphers, sealCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { type Ceilings, encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { type ContentTerms, encodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { type WorkingKeys, deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { sealSeedPurchase } from '../../../apdu/decode-module/keys/seed-purchase.ts';
import { coverSlots, seedKey, SLOT_DEPTH, slotKeys } from '../../../apdu/decode-module/keys/marks.ts';
import { concat, writeUint } from '../../../apdu/octets.ts';
import { type WrittenMessage, writeKeyMessage } from './forged-message.ts';
import type { Lie, Target } from './target.ts';

/** 2024-01-01T00:00:00Z. A card has no clock: time is what the stream says. */
export const START = 1_704_067_200;
export const END = START + 86_400;
export const SERVICE_KEY = 1;
export const SEGMENT_KEY = 100;
export const SEED_PURCHASE = 300;

/** 10 units a megabyte, 100 an hour, 5 flat at most; a quarter at a time. */
export const CEILINGS: Ceilings = {
  perMegabyte: 10_000_000n,
  perHour: 100_000_000n,
  flat: 5_000_000n,
  groupOctets: 1_500_000,
  groupDuration: 60_000,
  quantum: 250_000n,
};
/** Of content, per megabyte. */
export const PRICE = 250_000n;

type Terms = Partial<ContentTerms>;

/** A head-end that says the truth, with one service of its own and keys that nobody has used before. */
export class HonestService {
  readonly number = randomInt(1, 2 ** 31);
  /** Content keys are told apart by their id. */
  readonly contentId = randomInt(1, 2 ** 31);
  readonly ssrc = 2 * randomInt(1, 2 ** 31);
  readonly secondSsrc = this.ssrc ^ 0x100;
  readonly masterSalt: Uint8Array = randomBytes(12);
  readonly seedRoot: Uint8Array = randomBytes(16);
  readonly #target: Target;
  readonly #keys = new Map<string, Uint8Array>();

  constructor(target: Target) {
    this.#target = target;
  }

  /** A service that plays: bought, keys loaded, session open. */
  static async playing(target: Target, terms: Terms = {}, ceilings: Partial<Ceilings> = {}): Promise<HonestService> {
    const service = new HonestService(target);
    await target.must('a purchase', load(service.purchase({}, ceilings)));
    await service.loadBelow(terms);
    await service.open();
    return service;
  }

  /** Segment and content key: what is in RAM alone. */
  async loadBelow(terms: Terms = {}): Promise<void> {
    await this.#target.must('a segment key', load(this.segment()));
    await this.#target.must('a content key', load(this.content(terms)));
  }

  async open(): Promise<void> {
    await this.#target.must('OPEN SESSION', { ins: INS.OPEN_SESSION, data: u32(this.number) });
  }

  /** The key of a kind and id, drawn when it is first asked for. */
  key(kind: number, id: number): Uint8Array {
    const name = `${kind} ${id}`;
    const key = this.#keys.get(name) ?? randomBytes(16);
    this.#keys.set(name, key);
    return key;
  }

  /** The two working keys of a parent. */
  pair(kind: number, id: number, epoch = 0, epochKey: Uint8Array = new Uint8Array(16)): WorkingKeys {
    if (kind === KIND.unique) return deriveWorkingKeys(kind, 0, id, this.#target.keys.downlink);
    if (kind !== KIND.slot) return deriveWorkingKeys(kind, this.number, id, this.key(kind, id));
    const leaf = seedKey(this.seedRoot, { level: SLOT_DEPTH, index: id });
    return slotKeys(this.number, id, epoch, leaf, epochKey);
  }

  /** A key message of any kind under any parent, with a right tag. */
  message(
    header: Partial<WrittenMessage> & Pick<WrittenMessage, 'kind' | 'keyId' | 'parentKind' | 'parentId'>,
    body: Uint8Array = new Uint8Array(0),
    key: Uint8Array = header.kind === KIND.seeds ? randomBytes(128) : this.key(header.kind, header.keyId),
  ): Uint8Array {
    const whole = { service: this.number, from: START, to: END, number: 0, ...header };
    return writeKeyMessage(whole, key, body, this.pair(header.parentKind, header.parentId));
  }

  /** The service key, bought. */
  purchase(header: Partial<WrittenMessage> = {}, ceilings: Partial<Ceilings> = {}): Uint8Array {
    const unique = { parentKind: KIND.unique, parentId: this.#target.serial };
    const number = header.number ?? this.#target.nextNumber();
    const names = { kind: KIND.service, keyId: SERVICE_KEY, ...unique, ...header, number };
    return this.message(names, encodeCeilings({ ...CEILINGS, ...ceilings }));
  }

  segment(header: Partial<WrittenMessage> = {}): Uint8Array {
    const parent = { parentKind: KIND.service, parentId: SERVICE_KEY };
    return this.message({ kind: KIND.segment, keyId: SEGMENT_KEY, ...parent, ...header });
  }

  content(terms: Terms = {}, header: Partial<WrittenMessage> = {}): Uint8Array {
    const parent = { parentKind: KIND.segment, parentId: SEGMENT_KEY };
    return this.message({ kind: KIND.content, keyId: this.contentId, ...parent, ...header }, this.terms(terms));
  }

  /** Content under a slot. */
  slotContent(slot: number, terms: Terms = {}, epochKey?: Uint8Array): Uint8Array {
    const names = { kind: KIND.content, service: this.number, keyId: this.contentId, from: START, to: END, number: 0 };
    const header = { ...names, parentKind: KIND.slot, parentId: slot };
    const key = this.key(KIND.content, this.contentId);
    return writeKeyMessage(header, key, this.terms(terms), this.pair(KIND.slot, slot, terms.epoch ?? 0, epochKey));
  }

  terms(terms: Terms = {}): Uint8Array {
    return encodeContentTerms({
      tariff: { kind: 'octets', price: PRICE },
      classes: { card: true, soft: true },
      segmentId: SEGMENT_KEY,
      ssrcs: [this.ssrc, this.secondSsrc],
      masterSalt: this.masterSalt,
      ...terms,
    });
  }

  /** The parts of a purchase of slots [first, end). */
  seedParts(first: number, end: number): Uint8Array[] {
    const labels = coverSlots(first, end);
    // Four parts at most.
    const number = this.#target.nextNumber();
    for (let i = 1; i < 4; i++) this.#target.nextNumber();
    const names = { service: this.number, keyId: SEED_PURCHASE, from: START, to: END, number };
    const { serial, keys } = this.#target;
    const purchase = { ...names, ceilings: CEILINGS, labels };
    return sealSeedPurchase(purchase, this.seedRoot, serial, keys.downlink).map(({ octets }) => octets);
  }

  /** A card part of span 64, 13,160 octets and 200 ms unless told. */
  part(group: number, header: Partial<CardHeader> = {}, contentKey?: Uint8Array): Uint8Array {
    const whole: CardHeader = {
      mode: 'sealed',
      spanBlocks: 4,
      packets: 10,
      octets: 13_160,
      duration: 200,
      mediaTime: START,
      contentKeyId: this.contentId,
      index: group * 10,
      ssrc: this.ssrc,
      group,
      ...header,
    };
    return sealCardPart(whole, randomBytes(16 * whole.spanBlocks), this.ciphers(whole.contentKeyId, contentKey));
  }

  ciphers(contentKeyId: number = this.contentId, key: Uint8Array = this.key(KIND.content, contentKeyId)) {
    return contentCiphers(deriveWorkingKeys(KIND.content, this.number, contentKeyId, key));
  }
}

export function load(message: Uint8Array): Lie {
  return { ins: INS.LOAD_KEY, data: message };
}

export function decode(part: Uint8Array): Lie {
  return { ins: INS.DECODE, data: part };
}

export function u32(...values: readonly number[]): Uint8Array {
  return concat(
    ...values.map((value) => {
      const octets = new Uint8Array(4);
      writeUint(octets, 0, 4, value);
      return octets;
    }),
  );
}
