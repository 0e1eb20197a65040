import { randomBytes, randomInt } from 'node:crypto';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { type Ceilings, encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { type ContentTerms, encodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { coverSlots, deriveSeedKey, SLOT_DEPTH, deriveSlotKeys } from '../../../apdu/decode-module/keys/marks.ts';
import { sealSeedPurchase } from '../../../apdu/decode-module/keys/seed-purchase.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type CardHeader, makeContentCiphers, sealCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { type WorkingKeys, deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { concat, u32 } from '../../../apdu/octets.ts';
import { type ForgedHeader, forgeKeyMessage } from './forged-message.ts';
import type { ModuleCommand, Target } from './target.ts';

/** 2024-01-01T00:00:00Z. Any start will do, as a card has no clock. */
export const START = 1_704_067_200;
export const END = START + 86_400;
export const SERVICE_KEY_ID = 1;
export const SEGMENT_KEY_ID = 100;
export const SEED_PURCHASE_ID = 300;

/** At most 10 units per megabyte, 100 per hour, 5 flat; the quantum is 0.25 units. */
export const CEILINGS: Ceilings = {
  perMegabyte: 10_000_000n,
  perHour: 100_000_000n,
  flat: 5_000_000n,
  groupOctets: 1_500_000,
  groupDuration: 60_000,
  quantum: 250_000n,
};
/** Micro-units per megabyte of content. */
export const PRICE = 250_000n;

type Terms = Partial<ContentTerms>;

/** An honest head-end with one service and fresh keys. */
export class HonestService {
  readonly number = randomInt(1, 2 ** 31);
  /** Drawn at random, so that two services rarely share one. */
  readonly contentId = randomInt(1, 2 ** 31);
  readonly ssrc = 2 * randomInt(1, 2 ** 31);
  readonly secondSsrc = (this.ssrc ^ 0x100) >>> 0;
  readonly masterSalt: Uint8Array = randomBytes(12);
  readonly seedRoot: Uint8Array = randomBytes(16);
  readonly #target: Target;
  readonly #keys = new Map<string, Uint8Array>();

  constructor(target: Target) {
    this.#target = target;
  }

  /** Buys a service, loads its keys and opens a session. */
  static async start(target: Target, terms: Terms = {}, ceilings: Partial<Ceilings> = {}): Promise<HonestService> {
    const service = new HonestService(target);
    await target.mustSucceed('a purchase', loadKey(service.sealPurchase({}, ceilings)));
    await service.loadSegmentAndContent(terms);
    await service.openSession();
    return service;
  }

  /** Loads the keys that the card keeps in RAM alone. */
  async loadSegmentAndContent(terms: Terms = {}): Promise<void> {
    await this.#target.mustSucceed('a segment key', loadKey(this.sealSegment()));
    await this.#target.mustSucceed('a content key', loadKey(this.sealContent(terms)));
  }

  async openSession(): Promise<void> {
    await this.#target.mustSucceed('OPEN SESSION', { ins: INS.OPEN_SESSION, data: encodeU32(this.number) });
  }

  /** Returns the key of a kind and id; draws it at the first call. */
  drawKey(kind: number, id: number): Uint8Array {
    const name = `${kind} ${id}`;
    const key = this.#keys.get(name) ?? randomBytes(16);
    this.#keys.set(name, key);
    return key;
  }

  /** Derives the working keys of a parent. */
  deriveWorkingKeys(kind: number, id: number, epoch = 0, epochKey: Uint8Array = new Uint8Array(16)): WorkingKeys {
    if (kind === KIND.unique) return deriveWorkingKeys(kind, 0, id, this.#target.keys.downlink);
    if (kind !== KIND.slot) return deriveWorkingKeys(kind, this.number, id, this.drawKey(kind, id));
    const leaf = deriveSeedKey(this.seedRoot, { level: SLOT_DEPTH, index: id });
    return deriveSlotKeys(this.number, id, epoch, leaf, epochKey);
  }

  /** Seals a key message of any kind under any parent; its tag is right. */
  sealMessage(
    header: Partial<ForgedHeader> & Pick<ForgedHeader, 'kind' | 'keyId' | 'parentKind' | 'parentId'>,
    body: Uint8Array = new Uint8Array(0),
    key: Uint8Array = header.kind === KIND.seeds ? randomBytes(128) : this.drawKey(header.kind, header.keyId),
  ): Uint8Array {
    const whole = { service: this.number, from: START, to: END, number: 0, ...header };
    return forgeKeyMessage(whole, key, body, this.deriveWorkingKeys(header.parentKind, header.parentId));
  }

  /** Seals the purchase of the service key. */
  sealPurchase(header: Partial<ForgedHeader> = {}, ceilings: Partial<Ceilings> = {}): Uint8Array {
    const unique = { parentKind: KIND.unique, parentId: this.#target.serial };
    const number = header.number ?? this.#target.nextNumber();
    const names = { kind: KIND.service, keyId: SERVICE_KEY_ID, ...unique, ...header, number };
    return this.sealMessage(names, encodeCeilings({ ...CEILINGS, ...ceilings }));
  }

  sealSegment(header: Partial<ForgedHeader> = {}): Uint8Array {
    const parent = { parentKind: KIND.service, parentId: SERVICE_KEY_ID };
    return this.sealMessage({ kind: KIND.segment, keyId: SEGMENT_KEY_ID, ...parent, ...header });
  }

  sealContent(terms: Terms = {}, header: Partial<ForgedHeader> = {}): Uint8Array {
    const parent = { parentKind: KIND.segment, parentId: SEGMENT_KEY_ID };
    return this.sealMessage(
      { kind: KIND.content, keyId: this.contentId, ...parent, ...header },
      this.encodeTerms(terms),
    );
  }

  /** Seals a content key under a slot. */
  sealSlotContent(slot: number, terms: Terms = {}, epochKey?: Uint8Array): Uint8Array {
    const names = { kind: KIND.content, service: this.number, keyId: this.contentId, from: START, to: END, number: 0 };
    const header = { ...names, parentKind: KIND.slot, parentId: slot };
    const key = this.drawKey(KIND.content, this.contentId);
    return forgeKeyMessage(
      header,
      key,
      this.encodeTerms(terms),
      this.deriveWorkingKeys(KIND.slot, slot, terms.epoch ?? 0, epochKey),
    );
  }

  encodeTerms(terms: Terms = {}): Uint8Array {
    return encodeContentTerms({
      tariff: { kind: 'octets', price: PRICE },
      classes: { card: true, soft: true },
      segmentId: SEGMENT_KEY_ID,
      ssrcs: [this.ssrc, this.secondSsrc],
      masterSalt: this.masterSalt,
      ...terms,
    });
  }

  /** Seals the parts of a purchase of the slots [first, end). */
  sealSeedParts(first: number, end: number): Uint8Array[] {
    const labels = coverSlots(first, end);
    // A purchase has at most four parts, each with a number of its own.
    const number = this.#target.nextNumber();
    for (let i = 1; i < 4; i++) this.#target.nextNumber();
    const names = { service: this.number, keyId: SEED_PURCHASE_ID, from: START, to: END, number };
    const { serial, keys } = this.#target;
    const purchase = { ...names, ceilings: CEILINGS, labels };
    return sealSeedPurchase(purchase, this.seedRoot, serial, keys.downlink).map(({ octets }) => octets);
  }

  /** Seals a card part. By default its span has 64 octets, and its group 13,160 octets and 200 ms. */
  sealPart(group: number, header: Partial<CardHeader> = {}, contentKey?: Uint8Array): Uint8Array {
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
    return sealCardPart(whole, randomBytes(16 * whole.spanBlocks), this.deriveCiphers(whole.contentKeyId, contentKey));
  }

  deriveCiphers(contentKeyId: number = this.contentId, key: Uint8Array = this.drawKey(KIND.content, contentKeyId)) {
    return makeContentCiphers(deriveWorkingKeys(KIND.content, this.number, contentKeyId, key));
  }
}

export function loadKey(message: Uint8Array): ModuleCommand {
  return { ins: INS.LOAD_KEY, data: message };
}

export function decodePart(part: Uint8Array): ModuleCommand {
  return { ins: INS.DECODE, data: part };
}

export function encodeU32(...values: readonly number[]): Uint8Array {
  return concat(...values.map(u32));
}
