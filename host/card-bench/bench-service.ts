import { randomBytes, randomInt } from 'node:crypto';
import { decodeCardId, formatCardId } from '../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { encodeCeilings } from '../../apdu/decode-module/keys/ceilings.ts';
import { encodeContentTerms } from '../../apdu/decode-module/keys/content-terms.ts';
import { sealKeyMessage } from '../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { makeContentCiphers, sealCardPart } from '../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../apdu/decode-module/working-keys.ts';
import { TollcastError } from '../../apdu/errors.ts';
import { FULL_PAYLOAD } from './min-every.ts';

/** What a card is granted for the time of a measurement. */
export interface BenchGrant {
  /** 8 octets. */
  readonly cardId: Uint8Array;
  /** 16 octets. */
  readonly downlinkKey: Uint8Array;
  /** Number of the grant, u32; the card takes each once. */
  readonly number: number;
  /** Seconds since 1970 from which its keys hold. */
  readonly from: number;
}

const SERVICE_KEY_ID = 1;
/** Packets of a group. */
const PACKETS = 100;
/** Octets that a group which is paid for claims, so that at one micro-unit a megabyte it costs one. */
const PAID_OCTETS = 1_000_000;
/** Seconds for which the keys hold. */
const VALIDITY = 86_400;

/** Groups are free, or cost one micro-unit each. */
export type BenchTariff = 'free' | 'a micro-unit a group';

/** A service that only one card has, for the time of a measurement. */
export class BenchService {
  readonly number = randomInt(2 ** 31, 2 ** 32 - 1);
  readonly #module: DecodeModule;
  readonly #from: number;
  readonly #serviceKey = randomBytes(16);
  readonly #contentKey = randomBytes(16);
  readonly #ssrc = 2 * randomInt(1, 2 ** 31);
  /** 1 and 2 in turn, as keys follow each other on a card in use. */
  #contentKeyId = 0;
  #tariff: BenchTariff = 'free';
  #group = 0;

  private constructor(module: DecodeModule, from: number) {
    this.#module = module;
    this.#from = from;
  }

  /**
   * Grants the service to the card.
   * @throws TollcastError `WRONG_ISSUER` when the card has another downlink key; what LOAD KEY throws.
   */
  static async open(module: DecodeModule, grant: BenchGrant): Promise<BenchService> {
    const service = new BenchService(module, grant.from);
    try {
      await module.loadKey(service.#sealPurchase(grant));
    } catch (cause) {
      if (!(cause instanceof ModuleError) || cause.code !== 'CRYPTO') throw cause;
      const card = formatCardId(grant.cardId);
      const message = `card ${card} was not made from this store; name the one that it was made from with --store`;
      throw new TollcastError('WRONG_ISSUER', message, { cause });
    }
    return service;
  }

  /** Takes the keys off the card. Where nothing was charged, nothing is written to the purse. */
  async close(): Promise<void> {
    await this.#module.closeSession();
    await this.#module.deleteKey(KIND.service, this.number, SERVICE_KEY_ID);
  }

  /** Makes the message of the next content key. The groups after it are paid for as it says. */
  sealContentKey(tariff: BenchTariff): Uint8Array {
    this.#tariff = tariff;
    this.#contentKeyId = (this.#contentKeyId % 2) + 1;
    const parent = { parentKind: KIND.service, parentId: SERVICE_KEY_ID };
    const terms = encodeContentTerms({
      tariff: tariff === 'free' ? { kind: 'free', price: 0n } : { kind: 'octets', price: 1n },
      classes: { card: true, soft: true },
      segmentId: 1,
      ssrcs: [this.#ssrc],
      masterSalt: randomBytes(12),
    });
    const header = { ...this.#header(), ...parent, kind: KIND.content, keyId: this.#contentKeyId, number: 0 };
    return sealKeyMessage(header, this.#contentKey, terms, this.#serviceKey).octets;
  }

  /** Makes the card part of the next group. @param span octets, 16 to 208 in steps of 16. */
  sealPart(span: number): Uint8Array {
    const group = ++this.#group;
    const header = {
      mode: 'sealed',
      spanBlocks: span / 16,
      packets: PACKETS,
      octets: this.#tariff === 'free' ? PACKETS * FULL_PAYLOAD : PAID_OCTETS,
      duration: 200,
      mediaTime: this.#from,
      contentKeyId: this.#contentKeyId,
      index: group * PACKETS,
      ssrc: this.#ssrc,
      group,
    } as const;
    const keys = deriveWorkingKeys(KIND.content, this.number, this.#contentKeyId, this.#contentKey);
    return sealCardPart(header, randomBytes(span), makeContentCiphers(keys));
  }

  #sealPurchase({ cardId, downlinkKey, number }: BenchGrant): Uint8Array {
    const parent = { parentKind: KIND.unique, parentId: decodeCardId(cardId).serial };
    const prices = { perMegabyte: 1n, perHour: 0n, flat: 0n };
    // With a quantum of one micro-unit, every group that costs one is a take.
    const body = encodeCeilings({ ...prices, groupOctets: PAID_OCTETS, groupDuration: 1000, quantum: 1n });
    const header = { ...this.#header(), ...parent, kind: KIND.service, keyId: SERVICE_KEY_ID, number };
    return sealKeyMessage(header, this.#serviceKey, body, downlinkKey).octets;
  }

  #header() {
    return { service: this.number, from: this.#from, to: this.#from + VALIDITY };
  }
}
