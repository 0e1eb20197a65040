import type { ClearPackets } from '../stream/opening/clear-packets.ts';

/** Shows one stream in a page's video element, from its first packets to a pause or its end. */
export interface StreamPlayer {
  write(clear: ClearPackets): void;
  /** Nothing more comes; what has come is shown. */
  end(): void;
  close(): void;
}

/** Called when a browser cannot show what comes. */
export type OnUnplayable = () => void;
