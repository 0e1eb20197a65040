/** What carries frames to one token and back; `firmware-notes/tokens.md` 1. */
export interface TokenLink {
  /** As people call the token: `hid:0042`. */
  readonly name: string;
  /**
   * Sends a frame of 64 octets.
   * @throws Error when the token is gone.
   */
  send(frame: Uint8Array): Promise<void>;
  /** Says once who is told of what comes, and of the end of the token. */
  listen(listener: TokenLinkListener): void;
  /** Lets go of the token. Closing twice does nothing. */
  close(): Promise<void>;
}

export interface TokenLinkListener {
  /** @param octets of a frame, valid for good. */
  readonly frame: (octets: Uint8Array) => void;
  /** The token was pulled. */
  readonly gone: (cause: unknown) => void;
}
