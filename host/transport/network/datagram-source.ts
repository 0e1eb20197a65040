import type { PacketKeeper } from '../../stream/packet/packet-keeper.ts';

/**
 * Takes datagrams in the order in which they came. All arguments are valid until it returns, and longer what `keeper`
 * keeps.
 * @param sources where each datagram came from, as `toSource` makes it; the array may be longer than the other one.
 * @param keeper of the memory that they lie in, where they need not be copied to be kept.
 */
export type DatagramHandler = (
  datagrams: readonly Uint8Array[],
  sources: ArrayLike<number>,
  keeper?: PacketKeeper,
) => void;

/** The IPv4 address (u32) and port of a sender as one number of 48 bits, which compares faster than a text. */
export function toSource(address: number, port: number): number {
  return address * 0x10000 + port;
}

/** The same from the address as Node writes it, `192.0.2.1`. */
export function parseSource(address: string, port: number): number {
  return toSource(
    address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0),
    port,
  );
}

/** Hands on what comes from these IPv4 addresses alone, whatever the port. */
export function filterSources(addresses: readonly string[], onDatagrams: DatagramHandler): DatagramHandler {
  const heard = new Set(addresses.map((address) => parseSource(address, 0)));
  return (datagrams, sources, keeper) => {
    const kept: Uint8Array[] = [];
    const from: number[] = [];
    for (const [i, datagram] of datagrams.entries()) {
      const source = sources[i]!;
      if (!heard.has(source - (source % 0x10000))) continue;
      kept.push(datagram);
      from.push(source);
    }
    if (kept.length > 0) onDatagrams(kept, from, keeper);
  };
}

/** As people write it: `192.0.2.1:5000`. */
export function formatSource(source: number): string {
  const address = Math.floor(source / 0x10000);
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}:${source % 0x10000}`;
}
