/** Bits of CLA that say nothing else in the classes of protocol 2. */
const CHANNEL_BITS = 0x03;
/** Bits of CLA that are set in none of the classes of protocol 2. */
const FOREIGN_BITS = 0x78;

/**
 * The logical channel that a command comes on.
 * @returns 0 to 3, or undefined for a class of which protocol 2 does not say it.
 */
export function logicalChannelOf(cla: number): number | undefined {
  return (cla & FOREIGN_BITS) === 0 ? cla & CHANNEL_BITS : undefined;
}

/** CLA as it would be on the basic channel. */
export function onBasicChannel(cla: number): number {
  return cla & ~CHANNEL_BITS;
}
