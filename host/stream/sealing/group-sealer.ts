import type { CardHeader, ContentCiphers, Mode } from '../../../apdu/decode-module/packets/card-part.ts';
import { MAX_PACKETS, sealCardPart, shortenCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { GROUP_KEY } from '../../../apdu/layout/packets.ts';
import { MKI_LENGTH, writeMki } from '../packet/mki.ts';
import { AEAD_TAG, type AeadFactory, nobleAead, type PacketAead, sealRest } from '../packet/packet-aead.ts';
import { RTP_HEADER, writeRtpHeader } from '../packet/rtp-packet.ts';
import { deriveSrtpSession, computePacketIv } from '../packet/srtp-keys.ts';
import { FreshPacketMemory, type PacketMemory, ReusedPacketMemory } from './packet-memory.ts';

/** Most octets of payload in one packet: 7 TS packets. With the longest span they still fit into 1,400 octets. */
export const MAX_PAYLOAD = 1316;

/** The content key that a group is sealed under. */
export interface SealingKey {
  /** u32. */
  readonly id: number;
  readonly ciphers: ContentCiphers;
  /** SRTP master salt, 12 octets. */
  readonly masterSalt: Uint8Array;
}

/** One RTP payload that is to be sealed. */
export interface MediaPayload {
  /** 1 to 1,316 octets; they must not change until the payload's group is closed. */
  readonly octets: Uint8Array;
  /** Whole ms that these octets last. A fraction that is left over is counted with a later payload. */
  readonly duration: number;
  /** ms from the start of the stream to that of the payload. It comes back with the packet, for pacing. */
  readonly at: number;
  /** RTP timestamp, u32. */
  readonly timestamp: number;
  /** Whether it is the first of a group, whatever room the group before it has. */
  readonly startsGroup?: boolean;
}

export interface SealerOptions {
  /** u32, even. */
  readonly ssrc: number;
  readonly mode: Mode;
  /** Octets of the span, 16 to 208 in steps of 16. */
  readonly span: number;
  /** Most packets of a group, 1 to 2,000. */
  readonly every: number;
  /** Most ms of a group of more than one packet. */
  readonly closingTime: number;
  readonly payloadType: number;
  /** Sequence number of the first packet; RFC 3711 3.3.1 wants it below 2^15. */
  readonly firstSequence: number;
  /** Unpredictable octets, as many as asked for. */
  readonly random: (length: number) => Uint8Array;
  readonly aead?: AeadFactory;
  /**
   * Whether the octets of a group's packets may be written over as soon as `push` or `close` is called again, which saves
   * their allocation.
   */
  readonly reusesMemory?: boolean;
}

export interface SealedPacket {
  readonly octets: Uint8Array;
  /** The `at` of its payload. */
  readonly at: number;
}

export interface SealedGroup {
  readonly header: CardHeader;
  /** The card packet first. */
  readonly packets: readonly SealedPacket[];
}

/** A group that still takes packets. The card packet is made last, as its header counts the whole group. */
interface OpenGroup {
  readonly number: number;
  readonly key: SealingKey;
  readonly mediaTime: number;
  /** 16 octets: the first block of the span, and in mode sealed the SRTP master key. */
  readonly random: Uint8Array;
  /** Seals what lies outside the span; in mode sealed alone. */
  readonly rest: { readonly aead: PacketAead; readonly salt: Uint8Array } | undefined;
  readonly index: number;
  readonly first: MediaPayload;
  readonly packets: SealedPacket[];
  octets: number;
  duration: number;
}

/**
 * Seals payloads into groups of packets (protocol 5). A group closes when it has the number of packets asked for,
 * before it would last longer than the closing time, at a change of key, before a payload that starts a group, and at once when its first payload is shorter
 * than the span.
 */
export class GroupSealer {
  readonly #options: SealerOptions;
  readonly #aead: AeadFactory;
  readonly #spanBlocks: number;
  /** Octets of payload in the span. */
  readonly #spanPayload: number;
  readonly #iv = new Uint8Array(12);
  readonly #memory: PacketMemory;
  #group: OpenGroup | undefined;
  #lastGroup = 0;
  #index: number;

  /** @throws OutOfRangeError naming the option and its range. */
  constructor(options: SealerOptions) {
    const { span, every, ssrc } = options;
    if (!Number.isInteger(span) || span % 16 !== 0 || span < 16 || span > 208) {
      throw new OutOfRangeError(`a span has 16 to 208 octets in steps of 16, not ${span}`);
    }
    if (!Number.isInteger(every) || every < 1 || every > MAX_PACKETS) {
      throw new OutOfRangeError(`every 1st to 2,000th packet can be a card packet, not every ${every}th`);
    }
    if (ssrc % 2 !== 0) throw new OutOfRangeError('an SSRC must be even; bit 0 marks RIST repairs');
    this.#options = options;
    this.#aead = options.aead ?? nobleAead;
    this.#spanBlocks = span / 16;
    this.#spanPayload = span - GROUP_KEY;
    this.#index = options.firstSequence;
    this.#memory = options.reusesMemory === true ? new ReusedPacketMemory(every) : new FreshPacketMemory();
  }

  /**
   * Takes the next payload.
   * @param mediaTime seconds since 1970 at the start of the payload, u32.
   * @returns the groups that this payload closed: none, the one before it, its own, or both.
   * @throws OutOfRangeError when the payload is empty or too long.
   */
  push(payload: MediaPayload, key: SealingKey, mediaTime: number): SealedGroup[] {
    if (payload.octets.length < 1 || payload.octets.length > MAX_PAYLOAD) {
      throw new OutOfRangeError(`a payload has 1 to ${MAX_PAYLOAD} octets, not ${payload.octets.length}`);
    }
    const closed: SealedGroup[] = [];
    let group = this.#group;
    const isLast = (open: OpenGroup): boolean =>
      open.key !== key || payload.startsGroup === true || open.duration + payload.duration > this.#options.closingTime;
    if (group !== undefined && isLast(group)) {
      closed.push(this.#sealGroup(group));
      group = undefined;
    }
    if (group === undefined) {
      group = this.#openGroup(payload, key, mediaTime);
    } else {
      group.packets.push({ octets: this.#sealGapPacket(group, payload), at: payload.at });
      group.octets += payload.octets.length;
      group.duration += payload.duration;
    }
    if (group.packets.length === this.#options.every || group.first.octets.length < this.#spanPayload) {
      closed.push(this.#sealGroup(group));
    }
    return closed;
  }

  /** Whether a group is open. */
  get isOpen(): boolean {
    return this.#group !== undefined;
  }

  /**
   * Closes the group that is open, at the end of the stream or when the source falls silent.
   * @returns nothing when no group is open.
   */
  close(): SealedGroup | undefined {
    return this.#group && this.#sealGroup(this.#group);
  }

  #openGroup(first: MediaPayload, key: SealingKey, mediaTime: number): OpenGroup {
    const random = this.#options.random(GROUP_KEY);
    const session = this.#options.mode === 'sealed' ? deriveSrtpSession(random, key.masterSalt) : undefined;
    this.#lastGroup += 1;
    this.#memory.begin();
    this.#group = {
      number: this.#lastGroup,
      key,
      mediaTime,
      random,
      rest: session && { aead: this.#aead(session.key), salt: session.salt },
      index: this.#index++,
      first,
      packets: [{ octets: first.octets, at: first.at }],
      octets: first.octets.length,
      duration: first.duration,
    };
    return this.#group;
  }

  #sealGapPacket(group: OpenGroup, payload: MediaPayload): Uint8Array {
    return this.#sealPacket(group, this.#index++, payload.timestamp, false, undefined, payload.octets);
  }

  #sealGroup(group: OpenGroup): SealedGroup {
    const { ssrc, mode } = this.#options;
    const header: CardHeader = {
      mode,
      spanBlocks: this.#spanBlocks,
      packets: group.packets.length,
      octets: group.octets,
      duration: group.duration,
      mediaTime: group.mediaTime,
      contentKeyId: group.key.id,
      index: group.index,
      ssrc,
      group: group.number,
    };
    const span = new Uint8Array(16 * this.#spanBlocks);
    span.set(group.random);
    span.set(group.first.octets.subarray(0, this.#spanPayload), GROUP_KEY);
    const part = shortenCardPart(sealCardPart(header, span, group.key.ciphers));
    const rest = group.first.octets.subarray(this.#spanPayload);
    const octets = this.#sealPacket(group, group.index, group.first.timestamp, true, part, rest);
    group.packets[0] = { octets, at: group.first.at };
    this.#group = undefined;
    return { header, packets: group.packets };
  }

  #sealPacket(
    group: OpenGroup,
    index: number,
    timestamp: number,
    cardPacket: boolean,
    part: Uint8Array | undefined,
    rest: Uint8Array,
  ): Uint8Array {
    const { ssrc, payloadType } = this.#options;
    const restAt = RTP_HEADER + (part?.length ?? 0);
    const mkiAt = restAt + rest.length + (group.rest === undefined ? 0 : AEAD_TAG);
    const packet = this.#memory.cut(mkiAt + MKI_LENGTH);
    writeRtpHeader(packet, { marker: false, payloadType, sequence: index & 0xffff, timestamp, ssrc });
    if (part !== undefined) packet.set(part, RTP_HEADER);
    packet.set(rest, restAt);
    if (group.rest !== undefined) {
      computePacketIv(group.rest.salt, ssrc, index, this.#iv);
      sealRest(group.rest.aead, this.#iv, packet, restAt, mkiAt);
    }
    writeMki(packet, mkiAt, { cardPacket, group: group.number });
    return packet;
  }
}
