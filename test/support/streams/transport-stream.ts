import { randomBytes } from 'node:crypto';

/** One TS packet to be made; times in ticks of 27 MHz. */
export interface TsPacketPlan {
  readonly pid?: number;
  readonly pcr?: number;
  readonly discontinuity?: boolean;
}

/** Makes TS packets (ISO/IEC 13818-1 2.4.3) with random payload, in which no octet looks like a sync octet. */
export function makeTransportStream(plans: readonly TsPacketPlan[]): Uint8Array {
  const stream = randomBytes(188 * plans.length).map((octet) => (octet === 0x47 ? 0x48 : octet));
  for (const [i, { pid = 0x100, pcr, discontinuity = false }] of plans.entries()) {
    const packet = stream.subarray(188 * i, 188 * (i + 1));
    packet.set([0x47, (pid >> 8) & 0x1f, pid & 0xff, 0x10 | (i & 15)]);
    if (pcr === undefined) continue;
    packet[3]! |= 0x20;
    packet[4] = 7;
    packet[5] = 0x10 | (discontinuity ? 0x80 : 0);
    // 33 bits of base, 6 reserved, 9 of extension.
    const field = (BigInt(Math.floor(pcr / 300)) << 15n) | 0x7e00n | BigInt(pcr % 300);
    for (let octet = 0; octet < 6; octet++) packet[6 + octet] = Number((field >> BigInt(8 * (5 - octet))) & 0xffn);
  }
  return stream;
}

/** Puts octets in front of each TS packet and behind it: the time of arrival of .m2ts files, or parity. */
export function toLayout(stream: Uint8Array, before: number, behind: number): Uint8Array {
  const packets = Array.from({ length: stream.length / 188 }, (_none, i) => stream.subarray(188 * i, 188 * (i + 1)));
  return Buffer.concat(packets.flatMap((packet) => [randomLead(before), packet, randomLead(behind)]));
}

function randomLead(length: number): Uint8Array {
  return randomBytes(length).map((octet) => octet & 0x3f);
}
