package tollcast.runner.runtime;

/**
 * How a chip differs from what jCardSim emulates.
 *
 * @param hasP256 elliptic curve keys; asking for them throws NO_SUCH_ALGORITHM where the chip does not have them
 * @param hasMac ALG_AES_MAC_128_NOPAD, likewise
 * @param isStrict throws where the API may throw, and forgets at deselect how engines were initialised
 * @param isT0 speaks T=0, where nothing tells the card that a command has no data
 */
public record Chip(boolean hasP256, boolean hasMac, boolean isStrict, boolean isT0) {
}
