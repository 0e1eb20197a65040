import { createCipheriv, createDecipheriv } from 'node:crypto';

/** The working keys of a content key and its SRTP master salt. */
export interface ContentKeys {
  readonly encryption: Uint8Array;
  readonly mac: Uint8Array;
  readonly masterSalt: Uint8Array;
}

/** What a group turned out to be. */
export interface HandOpened {
  readonly kind: number;
  readonly packets: number;
  readonly octets: number;
  readonly duration: number;
  readonly mediaTime: number;
  readonly contentKeyId: number;
  readonly index: number;
  readonly ssrc: number;
  readonly group: number;
  /** First block of the span. */
  readonly groupKey: Buffer;
  readonly spanContent: Buffer;
  readonly payloads: readonly Buffer[];
}

/**
 * Opens one group from its packets, written from `firmware-notes/protocol.md` 5 and RFC 3711 and 7714 alone, on
 * node:crypto: shares no line with what it checks. Throws when a MAC or a tag is wrong.
 */
export function openByHand(packets: readonly Uint8Array[], keys: ContentKeys): HandOpened {
  const card = Buffer.from(packets[0]!);
  const mki = card.readUInt32BE(card.length - 4);
  if (mki < 0x80000000) throw new Error('the first packet is no card packet');
  const group = mki - 0x80000000;
  const ssrc = card.readUInt32BE(8);
  const blocks = card[13]! & 31;
  const sent = card.subarray(12, 12 + 24 + 16 * blocks + 8);
  const whole = Buffer.concat([sent.subarray(0, 24), card.subarray(8, 12), Buffer.alloc(4), sent.subarray(24)]);
  whole.writeUInt32BE(group, 28);
  const mac = cbc(createCipheriv, keys.mac, whole.subarray(0, -8)).subarray(-16, -8);
  if (!mac.equals(whole.subarray(-8))) throw new Error('the MAC of a card part is wrong');

  const sealed = whole[0] === 0x20;
  const octets = whole.readUIntBE(4, 3);
  const index = whole.readUIntBE(18, 6);
  const span = cbc(createDecipheriv, keys.encryption, whole.subarray(32, -8));
  const content = span.subarray(16);
  const rest = (packet: Buffer, from: number, at: number) =>
    sealed ? gcm(span.subarray(0, 16), keys.masterSalt, ssrc, at, packet, from) : packet.subarray(from, -4);
  const first = Buffer.concat([content, rest(card, 12 + sent.length, index)]);
  const payloads = [packets.length === 1 ? first.subarray(0, octets) : first];
  for (const [i, octetsOf] of packets.entries()) {
    if (i === 0) continue;
    const gap = Buffer.from(octetsOf);
    if (gap.readUInt32BE(gap.length - 4) !== group) throw new Error('a gap packet is of another group');
    if (gap.readUInt32BE(8) !== ssrc) throw new Error('a gap packet is of another stream');
    if (gap.readUInt16BE(2) !== (index + i) % 0x10000) throw new Error('a gap packet is out of order');
    payloads.push(Buffer.from(rest(gap, 12, index + i)));
  }
  return {
    kind: whole[0]!,
    packets: whole.readUInt16BE(2),
    octets,
    duration: whole.readUIntBE(7, 3),
    mediaTime: whole.readUInt32BE(10),
    contentKeyId: whole.readUInt32BE(14),
    index,
    ssrc,
    group,
    groupKey: span.subarray(0, 16),
    spanContent: content,
    payloads,
  };
}

function cbc(make: typeof createCipheriv | typeof createDecipheriv, key: Uint8Array, data: Uint8Array): Buffer {
  return make('aes-128-cbc', key, Buffer.alloc(16)).setAutoPadding(false).update(data);
}

/** RFC 3711 4.3, RFC 7714 8.1 and 9: the header up to `from` is authenticated, the rest opened. */
function gcm(
  masterKey: Uint8Array,
  salt: Uint8Array,
  ssrc: number,
  index: number,
  packet: Buffer,
  from: number,
): Buffer {
  const derive = (label: number) => {
    const counter = Buffer.concat([salt, Buffer.alloc(4)]);
    counter[7]! ^= label;
    return createCipheriv('aes-128-ecb', masterKey, null).setAutoPadding(false).update(counter);
  };
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(ssrc, 2);
  iv.writeUIntBE(index, 6, 6);
  const sessionSalt = derive(2);
  for (let i = 0; i < 12; i++) iv[i]! ^= sessionSalt[i]!;
  const opener = createDecipheriv('aes-128-gcm', derive(0), iv, { authTagLength: 16 });
  opener.setAAD(packet.subarray(0, from));
  opener.setAuthTag(packet.subarray(-20, -4));
  return Buffer.concat([opener.update(packet.subarray(from, -20)), opener.final()]);
}
