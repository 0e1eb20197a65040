import { randomBytes, randomInt } from 'node:crypto';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { decodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { contentCiphers, sealCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { encodeContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { sealKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { FormatError, OutOfRangeError } from '../../../apdu/errors.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { openGrantNumbers } from '../../headend/keys/grant-numbers.ts';
import { IssuerError } from '../../issuer/issuer-error.ts';
import { KeyStore } from '../../issuer/keys/key-store.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { FULL_PAYLOAD, leastEvery } from './least-every.ts';
import { askPassphrase } from '../terminal/passphrase.ts';

export interface BenchOptions extends CardOptions {
  readonly store: string;
  /** Octets, 16 to 208 in steps of 16; all of {@link SPANS} when left out. */
  readonly span?: number;
  /** Of each measurement but LOAD KEY. */
  readonly seconds: number;
}

const SPANS = [16, 32, 64, 208];
const RATES = [2e6, 5e6, 20e6];
/** An instruction that no module has: five octets there, two back. */
const FIVE_OCTETS = fromHex('80FE000000');
/** Loads of a content key: on most chips every one writes to memory that wears. */
const LOADS = 20;
/** Commands made ready at a time, so that making them is not measured. */
const BATCH = 32;
/** Least and most commands of a measurement, however slow or fast the card. */
const FEWEST = 8;
const MOST = 100_000;
const SERVICE_KEY_ID = 1;
const PACKETS = 100;
/** Seconds for which the keys of a run hold. */
const VALID = 86_400;

/** Reads the octets of a span after an option. @throws OutOfRangeError when no card part has such a span. */
export function spanLength(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) % 16 !== 0 || Number(text) < 16 || Number(text) > 208) {
    throw new OutOfRangeError(`"${text.slice(0, 40)}" is no span; write 16 to 208 in steps of 16`);
  }
  return Number(text);
}

/** Round trips of one kind. */
interface Measured {
  readonly perSecond: number;
  /** ms, half of them are faster. */
  readonly median: number;
  readonly slowest: number;
}

/**
 * `tollcast card bench`: how fast the card in the reader is at what `firmware-notes/real-cards.md` estimates. With keys of a service of its
 * own, free of charge, which it deletes; the purse is left as it is.
 */
export async function benchCard(options: BenchOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const { cardId, life } = await module.select();
    if (life === 'blank' || life === 'personalised') {
      throw new IssuerError('BLANK', 'this card is blank; type: tollcast issuer personalise');
    }
    if (life !== 'active') throw new IssuerError('NOT_IN_USE', `card ${formatCardId(cardId)} is ${life}; use another`);
    const unique = await new KeyStore(options.store, askPassphrase).open('unique');
    const [number] = await openGrantNumbers(options.store).take([cardId], Math.floor(Date.now() / 1000));
    const service = await BenchService.open(module, cardId, deriveCardKey(unique, 'downlink', cardId), number!);
    const spans = options.span === undefined ? SPANS : [options.span];
    try {
      const roundTrip = await measure(
        options.seconds * 1000,
        MOST,
        () => FIVE_OCTETS,
        (c) => plain(channel, c),
      );
      const loadKey = await measure(
        Infinity,
        LOADS,
        () => service.contentKey(),
        (message) => module.loadKey(message),
      );
      await module.openSession(service.number);
      const decode = [];
      for (const span of spans) {
        const one = await measure(
          options.seconds * 1000,
          MOST,
          () => service.part(span),
          (part) => module.decode(part),
        );
        decode.push({ span, ...one, leastEvery: RATES.map((rate) => leastEvery(rate, one.perSecond) ?? null) });
      }
      const json = { card: formatCardId(cardId), roundTrip, loadKey, decode, rates: RATES };
      print(options, json, [
        `card            ${json.card}`,
        `5-octet command ${describe(roundTrip)}`,
        `LOAD KEY        ${describe(loadKey)}`,
        ...decode.map(
          (one) => `DECODE span ${String(one.span).padEnd(3)} ${describe(one)}; least n ${list(one.leastEvery)}`,
        ),
        `least n: one card packet in n packets of ${FULL_PAYLOAD} octets, at ${RATES.map((rate) => rate / 1e6).join(', ')} Mbit/s`,
      ]);
    } finally {
      await service.close();
    }
  });
}

/** A service that is on this card alone, for the time of a run. */
class BenchService {
  readonly number = randomInt(2 ** 31, 2 ** 32 - 1);
  readonly #module: DecodeModule;
  readonly #serviceKey = randomBytes(16);
  readonly #contentKey = randomBytes(16);
  readonly #ssrc = 2 * randomInt(1, 2 ** 31);
  readonly #from = Math.floor(Date.now() / 1000);
  /** Two ids in turn, as keys follow each other on a card in use. */
  #contentKeyId = 0;
  #group = 0;

  private constructor(module: DecodeModule) {
    this.#module = module;
  }

  /** @param grantNumber of its purchase. */
  static async open(
    module: DecodeModule,
    cardId: Uint8Array,
    downlinkKey: Uint8Array,
    grantNumber: number,
  ): Promise<BenchService> {
    const service = new BenchService(module);
    try {
      await module.loadKey(service.#purchase(cardId, downlinkKey, grantNumber));
    } catch (cause) {
      if (!(cause instanceof ModuleError) || cause.code !== 'CRYPTO') throw cause;
      const text = `card ${formatCardId(cardId)} was not made by this store; name the one that made it with --store`;
      throw new IssuerError('WRONG_ISSUER', text, { cause });
    }
    return service;
  }

  /** Takes its keys off the card; nothing was charged, so nothing is written to the purse. */
  async close(): Promise<void> {
    await this.#module.closeSession();
    await this.#module.deleteKey(KIND.service, this.number, SERVICE_KEY_ID);
  }

  /** The next content key's message. */
  contentKey(): Uint8Array {
    this.#contentKeyId = (this.#contentKeyId % 2) + 1;
    const parent = { parentKind: KIND.service, parentId: SERVICE_KEY_ID };
    const terms = encodeContentTerms({
      tariff: { kind: 'free', price: 0n },
      classes: { card: true, soft: true },
      segmentId: 1,
      ssrcs: [this.#ssrc],
      masterSalt: randomBytes(12),
    });
    const header = { ...this.#header(), ...parent, kind: KIND.content, keyId: this.#contentKeyId, number: 0 };
    return sealKeyMessage(header, this.#contentKey, terms, this.#serviceKey).octets;
  }

  /** The next group's card part. */
  part(span: number): Uint8Array {
    const group = ++this.#group;
    const header = {
      mode: 'sealed',
      spanBlocks: span / 16,
      packets: PACKETS,
      octets: PACKETS * FULL_PAYLOAD,
      duration: 200,
      mediaTime: this.#from,
      contentKeyId: this.#contentKeyId,
      index: group * PACKETS,
      ssrc: this.#ssrc,
      group,
    } as const;
    const pair = deriveWorkingKeys(KIND.content, this.number, this.#contentKeyId, this.#contentKey);
    return sealCardPart(header, randomBytes(span), contentCiphers(pair));
  }

  #purchase(cardId: Uint8Array, downlinkKey: Uint8Array, number: number): Uint8Array {
    const parent = { parentKind: KIND.unique, parentId: decodeCardId(cardId).serial };
    const none = { perMegabyte: 0n, perHour: 0n, flat: 0n };
    const body = encodeCeilings({ ...none, groupOctets: PACKETS * FULL_PAYLOAD, groupDuration: 1000, quantum: 1n });
    const header = { ...this.#header(), ...parent, kind: KIND.service, keyId: SERVICE_KEY_ID, number };
    return sealKeyMessage(header, this.#serviceKey, body, downlinkKey).octets;
  }

  #header() {
    return { service: this.number, from: this.#from, to: this.#from + VALID };
  }
}

/** Sends until the time or the commands are over; only the sending is timed. */
async function measure(
  mostTime: number,
  most: number,
  make: () => Uint8Array,
  send: (command: Uint8Array) => Promise<unknown>,
): Promise<Measured> {
  const times: number[] = [];
  let total = 0;
  while (times.length < most && (total < mostTime || times.length < FEWEST)) {
    const batch = Array.from({ length: Math.min(BATCH, most - times.length) }, make);
    for (const command of batch) {
      if (total >= mostTime && times.length >= FEWEST) break;
      const start = performance.now();
      await send(command);
      const time = performance.now() - start;
      times.push(time);
      total += time;
    }
  }
  times.sort((a, b) => a - b);
  return {
    perSecond: Math.round((10_000 * times.length) / total) / 10,
    median: toMicroseconds(times[times.length >>> 1]!),
    slowest: toMicroseconds(times.at(-1)!),
  };
}

/** ms, no finer than they are measured. */
function toMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

/** @throws FormatError when the answer is not a bare status word. */
async function plain(channel: CardChannel, command: Uint8Array): Promise<void> {
  const { length } = await channel.transmit(command);
  if (length !== 2) throw new FormatError(`a status word was expected, not ${length} octets; the card is faulty`);
}

function describe({ perSecond, median, slowest }: Measured): string {
  return `${perSecond.toFixed(1)}/s, median ${median.toFixed(2)} ms, slowest ${slowest.toFixed(2)} ms`;
}

function list(every: readonly (number | null)[]): string {
  return every.map((n) => n ?? 'none').join(' / ');
}
