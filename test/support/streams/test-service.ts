import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CARD_KEYS, type CardKeyName, deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { parseLoadRequest, signLoadOrder } from '../../../apdu/decode-module/money/credit-load.ts';
import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import type { Mode } from '../../../apdu/decode-module/packets/card-part.ts';
import { encodeCardKeys, encodeCardProfile } from '../../../apdu/decode-module/personalisation.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { deriveCeilings, sealGrant } from '../../../host/headend/keys/grants/grant.ts';
import { KeySchedule } from '../../../host/headend/keys/schedules/key-schedule.ts';
import { limitGroups } from '../../../host/headend/sender/sealing-profile.ts';
import { encodeGoodbye } from '../../../host/stream/packet/rtcp-goodbye.ts';
import { GroupSealer, type SealedGroup } from '../../../host/stream/sealing/group-sealer.ts';
import { nodeAead } from '../../../host/transport/crypto/node-aead.ts';
import { UdpSender } from '../../../host/transport/network/udp-sender.ts';
import { activate } from '../cards/activate.ts';

export const LOOPBACK = '127.0.0.1';
/** Media time at which every test stream starts. */
export const START = 1_700_000_000;
const USD = 840;

/** Of the tests' issuer. */
export const MASTERS = {
  unique: randomBytes(16),
  uplink: randomBytes(16),
  receipt: randomBytes(16),
  load: randomBytes(16),
};

/** Who makes cards. */
export interface TestIssuer {
  /** u24. */
  readonly number: number;
  readonly masters: Readonly<Record<keyof typeof MASTERS, Uint8Array>>;
}

const TEST_ISSUER: TestIssuer = { number: 0x0a1b2c, masters: MASTERS };

/** A key of a card, as the issuer of these tests derives it. */
export function deriveTestCardKey(name: CardKeyName, cardId: Uint8Array): Uint8Array {
  return deriveCardKey(MASTERS[CARD_KEYS[name]], name, cardId);
}

/** Makes a blank card one of an issuer, that of the tests when left out; it alone loads credit. @returns the card's id. */
export async function personalise(
  card: Pick<SimulatedCard, 'kind' | 'channel'>,
  serial: number,
  credit: bigint,
  { number, masters } = TEST_ISSUER,
): Promise<Uint8Array> {
  const cardId = encodeCardId({ issuer: number, moduleClass: card.kind === 'soft' ? 'soft' : 'card', serial });
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  const key = (name: CardKeyName) => deriveCardKey(masters[CARD_KEYS[name]], name, cardId);
  const profile = { cardId, currency: USD, maximumBalance: 500_000_000n, maximumUnacknowledged: 500_000_000n };
  const keys = {
    downlink: key('downlink'),
    uplink: key('uplink'),
    receipt: key('receipt'),
    acknowledgement: key('acknowledgement'),
    'load-in': key('load-in'),
    'load-out': key('load-out'),
  };
  await activate(channel, encodeCardProfile(profile), encodeCardKeys(keys));
  if (credit > 0n) await loadCredit(module, cardId, credit);
  await channel.close();
  return cardId;
}

/** Loads credit as an issuer does. */
export async function loadCredit(module: DecodeModule, cardId: Uint8Array, amount: bigint): Promise<void> {
  const { number } = parseLoadRequest(await module.startLoad());
  const order = { cardId, number: number + 1, currency: USD, amount, loadId: randomBytes(8) };
  await module.loadCredit(signLoadOrder(order, deriveTestCardKey('load-in', cardId)));
}

export interface TestServiceOptions {
  readonly cards: readonly Uint8Array[];
  readonly mode?: Mode;
  readonly span?: number;
  readonly every?: number;
  readonly tariff?: Tariff;
  readonly quantum?: bigint;
  readonly service?: number;
  readonly start?: number;
  readonly classes?: { readonly card: boolean; readonly soft: boolean };
  /** Downlink keys other than the cards' own: of another issuer. */
  readonly foreign?: boolean;
  /** MPEG-TS by default. */
  readonly payloadType?: number;
}

let ssrcs = 0x1000;

/** A sender whose every packet and message a test holds in its hands before it goes out. */
export class TestService {
  readonly ssrc = (ssrcs += 2);
  readonly start: number;
  readonly schedule: KeySchedule;
  readonly grants: readonly Uint8Array[];
  readonly #sealer: GroupSealer;

  constructor(options: TestServiceOptions) {
    const { mode = 'sealed', span = 64, every = 10, service = 7, start = START, quantum = 250_000n } = options;
    const { tariff = { kind: 'octets', price: 250_000n }, classes = { card: true, soft: true } } = options;
    this.start = start;
    const key = randomBytes(16);
    const end = start + 100_000;
    this.schedule = new KeySchedule({
      service,
      serviceKeyId: 1,
      serviceKey: key,
      start,
      end,
      period: 300,
      terms: { tariff, classes, ssrcs: [this.ssrc] },
      random: randomBytes,
    });
    const ceilings = deriveCeilings(tariff, limitGroups({ every, closingTime: 1000 }), quantum);
    const purchase = { service, keyId: 1, key, from: start, to: end, number: start, ceilings };
    const downlink = (cardId: Uint8Array) =>
      options.foreign === true ? randomBytes(16) : deriveTestCardKey('downlink', cardId);
    this.grants = options.cards.map((cardId) => sealGrant(purchase, cardId, downlink(cardId)).octets);
    this.#sealer = new GroupSealer({
      ssrc: this.ssrc,
      mode,
      span,
      every,
      closingTime: 1000,
      payloadType: options.payloadType ?? 33,
      firstSequence: 0x7ff0,
      random: randomBytes,
      aead: nodeAead,
    });
  }

  /** All key messages due at a media time, parents first. */
  keys(after = 0): Uint8Array[] {
    return [...this.grants, ...this.schedule.messages(this.start + after).map(({ octets }) => octets)];
  }

  /** Seals payloads of which each lasts 1 ms; what is left over makes a group of its own. */
  seal(payloads: readonly Uint8Array[], after = 0): SealedGroup[] {
    const time = this.start + after;
    const groups = payloads.flatMap((octets, at) =>
      this.#sealer.push({ octets, duration: 1, at, timestamp: at * 90 }, this.schedule.at(time), time),
    );
    const last = this.#sealer.close();
    return last === undefined ? groups : [...groups, last];
  }

  goodbye(): Uint8Array {
    return encodeGoodbye({ ssrc: this.ssrc, now: 0, timestamp: 0, packets: 0, octets: 0, cname: 'test' });
  }
}

/** Payloads of random octets. */
export function makePayloads(count: number, length = 1316): Uint8Array[] {
  return Array.from({ length: count }, () => randomBytes(length));
}

/** The sending side of the three ports of a service. */
export class TestNetwork {
  readonly address: string;
  readonly port: number;
  readonly #media: UdpSender;
  readonly #rtcp: UdpSender;
  readonly #keys: UdpSender;

  static async open(address = '239.255.78.1'): Promise<TestNetwork> {
    const port = await findFreePort();
    const to = { address, interface: LOOPBACK, ttl: 0 };
    const media = await UdpSender.open({ ...to, port });
    const rtcp = await UdpSender.open({ ...to, port: port + 1 });
    const keys = await UdpSender.open({ ...to, port: port + 2 });
    return new TestNetwork(address, port, media, rtcp, keys);
  }

  private constructor(address: string, port: number, media: UdpSender, rtcp: UdpSender, keys: UdpSender) {
    this.address = address;
    this.port = port;
    this.#media = media;
    this.#rtcp = rtcp;
    this.#keys = keys;
  }

  /** Where a bridge hears it. */
  get service() {
    return { address: this.address, port: this.port, keyPort: this.port + 2, interface: LOOPBACK };
  }

  keys(messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#keys.send(message);
  }

  /** Sends packets some at a time, as a sender does. */
  async media(packets: readonly Uint8Array[]): Promise<void> {
    for (const [i, packet] of packets.entries()) {
      this.#media.send(packet);
      if (i % 50 === 49) await sleep(2);
    }
  }

  groups(groups: readonly SealedGroup[]): Promise<void> {
    return this.media(groups.flatMap((group) => group.packets.map((packet) => packet.octets)));
  }

  rtcp(datagram: Uint8Array): void {
    this.#rtcp.send(datagram);
  }

  async close(): Promise<void> {
    await Promise.all([this.#media.close(), this.#rtcp.close(), this.#keys.close()]);
  }
}

/** An even port with nothing on it or on the two after it. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const sockets = [createSocket('udp4'), createSocket('udp4'), createSocket('udp4')] as const;
    try {
      sockets[0].bind(0);
      await once(sockets[0], 'listening');
      const { port } = sockets[0].address();
      if (port % 2 !== 0) continue;
      for (const [i, socket] of sockets.slice(1).entries()) {
        socket.bind(port + 1 + i);
        await once(socket, 'listening');
      }
      return port;
    } catch {
      // Taken: the next try finds another one.
    } finally {
      for (const socket of sockets) socket.close();
    }
  }
}
