import type { CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { FormatError } from '../../../apdu/errors.ts';
import { GROUP_KEY } from '../../../apdu/layout/packets.ts';
import { hasSameOctets } from '../../../apdu/octets.ts';
import type { MediaPacket } from '../packet/media-packet.ts';
import { MKI_LENGTH } from '../packet/mki.ts';
import { AEAD_TAG, type AeadFactory, openRest, type PacketAead } from '../packet/packet-aead.ts';
import { guessIndex } from '../packet/packet-index.ts';
import { deriveSrtpSession, computePacketIv } from '../packet/srtp-keys.ts';
import type { ClearWriter } from './clear-packets.ts';
import type { HeldCardPacket } from './held-card-packet.ts';
import type { PacketGroup } from './packet-group.ts';

/** What came out of a group. */
export interface OpenedGroup {
  readonly packets: number;
  /** Clear payload octets. */
  readonly octets: number;
  /** Packets of the group that did not come out: its key did not seal them, or they lie outside the group. */
  readonly forged: number;
  /** Packets that came out of what other senders sent for the group. */
  readonly foreign: number;
}

/** Opens the rest of a group with the card's answer to its card packet, `firmware-notes/protocol.md` 5.2. */
export class GroupOpener {
  readonly #aead: AeadFactory;
  readonly #makeCipher: CbcFactory | undefined;
  readonly #iv = new Uint8Array(12);
  /** The group opened last, and the position behind the last packet of it that came out. */
  #newest: { readonly opening: Opening; next: number } | undefined;

  /** @param makeCipher for the keys of each group; JavaScript derives them when left out. */
  constructor(aead: AeadFactory, makeCipher?: CbcFactory) {
    this.#aead = aead;
    this.#makeCipher = makeCipher;
  }

  /**
   * Writes the clear packets of a group in order; header and payload are as they were before sealing, bit for bit.
   * @param card the card packet that was asked about.
   * @param answer of DECODE to that card packet's card part.
   * @param masterSalt SRTP master salt of the content key, 12 octets.
   * @param others the same group as other senders sent it. In mode sealed, where every packet is authenticated, they
   *   give what is missing.
   * @throws FormatError when the answer is not as long as what the card packet's span holds; nothing is written then.
   */
  open(
    group: PacketGroup,
    card: HeldCardPacket,
    answer: Uint8Array,
    masterSalt: Uint8Array,
    out: ClearWriter,
    others: readonly PacketGroup[] = [],
  ): OpenedGroup {
    const sealed = card.header.mode === 'sealed';
    const expected = 16 * (card.header.spanBlocks - (sealed ? 0 : 1));
    if (answer.length !== expected) {
      throw new FormatError(
        `the card answered DECODE with ${answer.length} octets, not ${expected}; take it out and insert it again, or have it replaced`,
      );
    }
    const content = sealed ? answer.subarray(GROUP_KEY) : answer;
    const session = sealed ? deriveSrtpSession(answer.subarray(0, GROUP_KEY), masterSalt, this.#makeCipher) : undefined;
    const rest = session && { aead: this.#aead(session.key), salt: session.salt };
    const opening = { card, rest, out };
    const helpers = sealed ? others : [];

    const newest = { opening, next: 1 };
    this.#newest = newest;
    let own = 0;
    let foreign = 0;
    let octets = 0;
    const addForeign = (length: number | undefined, position: number) => {
      if (length === undefined) return;
      foreign++;
      octets += length;
      newest.next = position + 1;
    };
    const first = this.#openCardPacket(group.cards, content, opening);
    if (first !== undefined) {
      own++;
      octets += first;
    } else {
      addForeign(
        this.#openCardPacket(
          helpers.flatMap(({ cards }) => cards),
          content,
          opening,
        ),
        0,
      );
    }
    let next = 1;
    for (const gap of group.inOrder(card)) {
      const position = group.positionOf(card, gap.rtp.sequence);
      if (helpers.length > 0)
        for (; next < position; next++) addForeign(this.#openForeign(helpers, next, opening), next);
      next = position + 1;
      const length = this.#openGap(gap, position, opening) ?? this.#openRival(group, gap, position, opening);
      if (length !== undefined) {
        own++;
        octets += length;
        newest.next = next;
      } else if (helpers.length > 0) {
        addForeign(this.#openForeign(helpers, position, opening), position);
      }
    }
    if (helpers.length > 0) {
      for (; next < card.header.packets; next++) addForeign(this.#openForeign(helpers, next, opening), next);
    }
    return { packets: own + foreign, octets, forged: group.packets - own, foreign };
  }

  /**
   * Opens a gap packet of the group that was opened last, which came later than those that came out: a forged packet can
   * make a group look ended, and what is paid for must not be lost to it.
   * @returns octets of its clear payload; undefined when it is another group's, comes before what came out, or is forged.
   */
  openLate(packet: MediaPacket): number | undefined {
    if (this.#newest === undefined || packet.cardPacket) return undefined;
    const { opening, next } = this.#newest;
    const { ssrc, group, index, packets } = opening.card.header;
    if (packet.rtp.ssrc !== ssrc || packet.group !== group) return undefined;
    const position = guessIndex(index, packet.rtp.sequence) - index;
    if (position < next || position >= packets) return undefined;
    const length = this.#openGap(packet, position, opening);
    if (length !== undefined) this.#newest.next = position + 1;
    return length;
  }

  /** Tries every card packet that has the card part asked about, as their rest may differ. */
  #openCardPacket(
    candidates: readonly HeldCardPacket[],
    content: Uint8Array,
    { card, rest, out }: Opening,
  ): number | undefined {
    const { header, part } = card;
    for (const candidate of candidates) {
      if (candidate !== card && !hasSameOctets(candidate.part, part)) continue;
      const restAt = candidate.packet.rtp.length + candidate.sentLength;
      // Protocol 5.1: a payload shorter than the span is filled up with zeros; `octets` gives its length.
      const isSpanOnly = candidate.packet.octets.length - restAt - MKI_LENGTH === (rest === undefined ? 0 : AEAD_TAG);
      const shown = isSpanOnly && header.packets === 1 ? content.subarray(0, header.octets) : content;
      const length = this.#openRest(candidate.packet, card, restAt, header.index, shown, rest, out);
      if (length !== undefined) return length;
    }
    return undefined;
  }

  #openGap(gap: MediaPacket, position: number, { card, rest, out }: Opening): number | undefined {
    return this.#openRest(gap, card, gap.rtp.length, card.header.index + position, undefined, rest, out);
  }

  /** Of rivals for one position the first counts that opens. */
  #openRival(group: PacketGroup, gap: MediaPacket, position: number, opening: Opening): number | undefined {
    for (const rival of group.rivalsOf(gap.rtp.sequence)) {
      const length = this.#openGap(rival, position, opening);
      if (length !== undefined) return length;
    }
    return undefined;
  }

  #openForeign(others: readonly PacketGroup[], position: number, opening: Opening): number | undefined {
    const sequence = (opening.card.header.index + position) % 0x10000;
    for (const other of others) {
      for (const gap of other.gapsAt(sequence)) {
        const length = this.#openGap(gap, position, opening);
        if (length !== undefined) return length;
      }
    }
    return undefined;
  }

  /**
   * Opens one packet from `restAt` on and writes it out.
   * @param before clear octets of its payload that the card gave.
   * @returns octets of its clear payload; undefined when its tag is wrong.
   */
  #openRest(
    packet: MediaPacket,
    card: HeldCardPacket,
    restAt: number,
    index: number,
    before: Uint8Array | undefined,
    rest: Rest | undefined,
    out: ClearWriter,
  ): number | undefined {
    const { octets, rtp } = packet;
    const end = octets.length - MKI_LENGTH;
    const clearLength = end - restAt - (rest === undefined ? 0 : AEAD_TAG);
    if (clearLength < 0) return undefined;
    const length = (before?.length ?? 0) + clearLength;
    const place = out.reserve(length);
    const restTo = out.octets + length - clearLength;
    if (rest === undefined) {
      place.set(octets.subarray(restAt, end), restTo);
    } else {
      const iv = computePacketIv(rest.salt, card.header.ssrc, index, this.#iv);
      if (!openRest(rest.aead, iv, octets, restAt, end, place, restTo)) return undefined;
    }
    if (before !== undefined) place.set(before, out.octets);
    out.push(octets, rtp.length, length);
    return length;
  }
}

/** What stays the same for every packet of a group. */
interface Opening {
  readonly card: HeldCardPacket;
  readonly rest: Rest | undefined;
  readonly out: ClearWriter;
}

interface Rest {
  readonly aead: PacketAead;
  readonly salt: Uint8Array;
}
