/** Whoever received packets, and can keep them where they lie. */
export interface PacketKeeper {
  /** @returns nothing when the packet has to be copied. */
  keep(octets: Uint8Array): KeptMemory | undefined;
}

/** Memory that a packet is kept in. */
export interface KeptMemory {
  /** The packet is not used any more. */
  release(): void;
}
