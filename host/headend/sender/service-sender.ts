import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mode } from '../../../apdu/decode-module/packets/card-part.ts';
import type { ContentTerms } from '../../../apdu/decode-module/keys/content-terms.ts';
import type { KeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { GroupSealer, type SealedGroup } from '../../stream/sealing/group-sealer.ts';
import { type ContentPeriod, KeySchedule } from '../../headend/keys/key-schedule.ts';
import type { AeadFactory } from '../../stream/packet/packet-aead.ts';
import { nodeAead } from '../../transport/crypto/node-aead.ts';
import { sealGrant, deriveCeilings, chooseQuantum } from '../keys/grant.ts';
import { KeyAnnouncer } from './key-announcer.ts';
import { MediaTimeline } from '../sources/media-timeline.ts';
import type { MediaSource } from '../sources/media-source.ts';
import { Pacer } from './pacer.ts';
import { readPayloads } from '../sources/payload-reader.ts';
import { type ServiceAddress, ServicePorts } from './service-ports.ts';
import { makePacker, payloadTypeOf, type SourceFormat } from '../sources/source-format.ts';

export interface ServiceOptions {
  readonly source: MediaSource;
  readonly format: SourceFormat;
  /** bit/s, in place of the clock that a transport stream brings; data has 10,000,000 by default. */
  readonly rate?: number | undefined;
  readonly to: ServiceAddress;
  /** u32, 1 and up. */
  readonly service: number;
  readonly mode: Mode;
  /** Octets of the span, 16 to 208 in steps of 16. */
  readonly span: number;
  /** Most packets of a group, 1 to 1,024. */
  readonly every: number;
  /** TS packets in a payload, 1 to 7; of data, as many octets. */
  readonly packing: number;
  /** Most ms of a group of more than one packet; when the source is silent for as long, the group is closed too. */
  readonly closingTime: number;
  readonly terms: Pick<ContentTerms, 'tariff' | 'classes'>;
  /** Micro-units; by default about 1 MB or 10 s of toll. */
  readonly quantum?: bigint | undefined;
  /** ISO 4217 number of what prices and quantum are in: cards of another currency refuse the grant. */
  readonly currency?: number | undefined;
  /** Card ids, 8 octets each, of those who get the service key. */
  readonly cards: readonly Uint8Array[];
  /** The downlink key of a card, 16 octets. */
  readonly downlinkKey: (cardId: Uint8Array) => Uint8Array;
  /** Number of the card's grant, u32: one more than that of its last one, of whatever service and sender. */
  readonly grantNumber: (cardId: Uint8Array) => number;
  /** Seconds for which they get it, and so the longest that a run lasts. */
  readonly granted: number;
  /** Most seconds of a content key. */
  readonly period: number;
  /** Seconds of a segment; the whole run is one when left out. */
  readonly segment?: number | undefined;
  /** Seconds of media in a second. */
  readonly speed: number;
  /** ms for which the keys are on the wire before the first packet. */
  readonly lead: number;
  /** node:crypto's by default. */
  readonly aead?: AeadFactory | undefined;
  /** Told of the first content key and of every change. */
  readonly onKey?: ((period: ContentPeriod) => void) | undefined;
}

/** What was sent so far. */
export interface ServiceTotals {
  /** Payload before sealing: octets of the source. */
  octets: number;
  /** ms of media. */
  duration: number;
  packets: number;
  groups: number;
  contentKeys: number;
  segments: number;
}

const SERVICE_KEY_ID = 1;
/** ms of silence of the source from which on they count as media time: what comes then is not of long ago. */
const LONG_SILENCE = 1000;

/** Sends one service: its source, sealed, to one address; its keys beside it. */
export class ServiceSender {
  readonly totals: ServiceTotals = { octets: 0, duration: 0, packets: 0, groups: 0, contentKeys: 0, segments: 0 };
  /** Even, and another one at every start. */
  readonly ssrc = 2 * randomInt(1, 2 ** 31);
  readonly #options: ServiceOptions;
  /** Media time of the start. Also the first id of segments and content keys: none comes twice. */
  readonly #start = Math.floor(Date.now() / 1000);
  readonly #timeline = new MediaTimeline(randomInt(2 ** 32));
  readonly #pacer: Pacer;
  readonly #sealer: GroupSealer;
  readonly #schedule: KeySchedule;
  readonly #grants: readonly KeyMessage[];
  /** ms of media time in which the source had nothing. */
  #silence = 0;
  #mediaTime = 0;
  #period: ContentPeriod | undefined;

  /** @throws OutOfRangeError naming the option and its range. */
  constructor(options: ServiceOptions) {
    const { service, mode, span, every, closingTime, terms, cards } = options;
    this.#options = options;
    this.#pacer = new Pacer(options.speed);
    this.#sealer = new GroupSealer({
      ssrc: this.ssrc,
      mode,
      span,
      every,
      closingTime,
      payloadType: payloadTypeOf(options.format),
      firstSequence: randomInt(0x8000),
      random: randomBytes,
      aead: options.aead ?? nodeAead,
    });
    const serviceKey = randomBytes(16);
    const end = this.#start + options.granted;
    this.#schedule = new KeySchedule({
      service,
      serviceKey,
      serviceKeyId: SERVICE_KEY_ID,
      start: this.#start,
      end,
      period: options.period,
      segment: options.segment,
      terms: { ...terms, ssrcs: [this.ssrc] },
      random: randomBytes,
    });
    const quantum = options.quantum ?? chooseQuantum(terms.tariff);
    const purchase = {
      service,
      keyId: SERVICE_KEY_ID,
      key: serviceKey,
      from: this.#start,
      to: end,
      ceilings: {
        ...deriveCeilings(terms.tariff, every, closingTime, quantum),
        ...(options.currency !== undefined && { currency: options.currency }),
      },
    };
    this.#grants = cards.map((cardId) =>
      sealGrant({ ...purchase, number: options.grantNumber(cardId) }, cardId, options.downlinkKey(cardId)),
    );
  }

  /**
   * Sends until the source ends or `signal` aborts, then says goodbye. To be called once.
   * @throws TransportError `SOURCE`, `UDP_SEND`.
   * @throws TollcastError `NO_PCR`, `GRANTS_ENDED`.
   */
  async run(signal: AbortSignal): Promise<void> {
    const ports = await ServicePorts.open(this.#options.to);
    const announcer = new KeyAnnouncer(this.#schedule, this.#grants, ports.keys, this.#start);
    try {
      announcer.start();
      await sleep(this.#options.lead);
      await this.#sendSource(announcer, ports, signal);
      // So that the next run, be it started at once, has other ids for its segments and content keys.
      await sleep(Math.max(0, (this.#start + 1) * 1000 - Date.now()));
    } finally {
      announcer.stop();
      const { packets, octets } = this.totals;
      const { timestamp } = this.#timeline.advance(0);
      await ports.sayGoodbye({ ssrc: this.ssrc, timestamp, packets, octets });
      await ports.close();
    }
  }

  async #sendSource(announcer: KeyAnnouncer, ports: ServicePorts, signal: AbortSignal): Promise<void> {
    const { source, format, rate, packing, closingTime, speed } = this.#options;
    const packer = makePacker(this.#timeline, format, rate, packing);
    for await (const { payloads, waited } of readPayloads(source, packer, closingTime, signal)) {
      if (payloads.length === 0 && waited >= closingTime) await this.#send(this.#sealer.close(), ports);
      if (payloads.length > 0 && waited >= LONG_SILENCE) this.#silence += waited * speed;
      this.#pacer.hurry(source.lag());
      for (const payload of payloads) {
        if (signal.aborted) break;
        const mediaTime = this.#start + Math.floor((payload.at + this.#silence) / 1000);
        const period = this.#reach(mediaTime, announcer);
        for (const group of this.#sealer.push(payload, period, mediaTime)) await this.#send(group, ports);
      }
    }
    await this.#send(this.#sealer.close(), ports);
  }

  /** The content key that holds at a media time; the keys that are due then are on the wire before. */
  #reach(mediaTime: number, announcer: KeyAnnouncer): ContentPeriod {
    if (this.#period !== undefined && mediaTime === this.#mediaTime) return this.#period;
    announcer.advance(mediaTime);
    this.#mediaTime = mediaTime;
    const period = this.#schedule.at(mediaTime);
    if (period !== this.#period) {
      this.totals.contentKeys += 1;
      if (period.segment !== this.#period?.segment) this.totals.segments += 1;
      this.#period = period;
      this.#options.onKey?.(period);
    }
    return period;
  }

  async #send(group: SealedGroup | undefined, ports: ServicePorts): Promise<void> {
    if (group === undefined) return;
    const { octets, duration, packets } = group.header;
    if (this.totals.groups === 0) {
      this.#pacer.begin(group.packets[0]!.at, Math.max(0, this.#options.closingTime - duration));
    }
    for (const packet of group.packets) {
      await this.#pacer.until(packet.at);
      ports.media.send(packet.octets);
    }
    await ports.media.drain();
    this.totals.octets += octets;
    this.totals.duration += duration;
    this.totals.packets += packets;
    this.totals.groups += 1;
  }
}
