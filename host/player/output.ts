import type { TransportError } from '../../apdu/errors.ts';
import type { ClearSink } from '../stream/opening/clear-sink.ts';

/** How much came of a file that is sent piece by piece. */
export interface FileProgress {
  readonly name: string;
  /** Octets. */
  readonly length: number;
  /** As it was announced, in hexadecimal. */
  readonly sha256: string;
  /** Octets that are here. */
  readonly received: number;
  /** Pieces that are not. */
  readonly missing: number;
  /** Whether it is whole, in its place, and has its SHA-256. */
  readonly isComplete: boolean;
}

/** Where a recovered stream goes. */
export interface Output extends ClearSink {
  /** As a player is told it: `http://127.0.0.1:8080/living-room`. */
  readonly where: string;
  /** Octets let go because a player was too slow. */
  readonly lost: number;
  /** Octets that came before the first picture that a player can show, and that no player got. */
  readonly withheld: number;
  /** The file that is received; undefined for a stream. */
  readonly file?: FileProgress | undefined;
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
