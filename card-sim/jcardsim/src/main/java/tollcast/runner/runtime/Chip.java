package tollcast.runner.runtime;

/**
 * Algorithms that some chips do not have; asking for them throws NO_SUCH_ALGORITHM there.
 *
 * @param hasP256 elliptic curve keys
 * @param hasMac ALG_AES_MAC_128_NOPAD
 */
public record Chip(boolean hasP256, boolean hasMac) {
  public static final Chip WHOLE = new Chip(true, true);
}
