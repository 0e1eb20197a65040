/** The port between everything that speaks to a card and whatever carries the octets. */
export interface CardChannel {
  /** Answer to reset, as the reader reported it; empty where the transport has none. */
  readonly atr: Uint8Array;

  /**
   * Sends one command APDU and resolves with the answer, data and status word as they came (at least 2 octets).
   * One command at a time: an implementation queues further calls in the order they were made.
   *
   * @param command 4 to 65,544 octets.
   * @throws CardGoneError when the card left, was reset or was replaced.
   * @throws TransportError for anything else between us and the card.
   */
  transmit(command: Uint8Array): Promise<Uint8Array>;

  /**
   * Sends a command that verifies a PIN, which the holder enters at the reader's own keypad: no program sees it. Left
   * out by transports that have no such readers.
   * @param command with 8 octets of data, all FF, for the PIN.
   * @throws TransportError `NO_PIN_PAD` when the reader has no keypad, `PIN_NOT_GIVEN` when nobody entered a PIN.
   */
  readonly enterPin?: ((command: Uint8Array) => Promise<Uint8Array>) | undefined;

  /** Lets go of the card; further calls to `transmit` throw `CardGoneError`. Closing twice does nothing. */
  close(): Promise<void>;
}
