import type { TransportError } from '../../apdu/errors.ts';
import type { ClearSink } from '../stream/opening/clear-sink.ts';

/** Where a recovered stream goes. */
export interface Output extends ClearSink {
  /** As a player is told it: `http://127.0.0.1:8080/living-room`. */
  readonly where: string;
  /** Octets let go because a player was too slow. */
  readonly lost: number;
  /** Octets that came before the first picture that a player can show, and that no player got. */
  readonly withheld: number;
  /** Resolves when nothing can be passed on any more: with the error, or undefined if the reader has seen enough. */
  readonly ended: Promise<TransportError | undefined>;
  /** Passes on what still waits, then closes. */
  close(): Promise<void>;
}

/** Where an output on a network is. */
export interface OutputAddress {
  /** IPv4. */
  readonly address: string;
  readonly port: number;
  /** What follows the port, of an output that has players ask for it. */
  readonly path?: string | undefined;
  /** IPv4 address of the interface that multicast leaves by. */
  readonly interface: string;
}
