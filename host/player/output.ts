import type { TransportError } from '../../apdu/errors.ts';
import type { ClearSink } from '../stream/opening/clear-sink.ts';

/** Where a recovered stream goes. */
export interface Output extends ClearSink {
  /** As a player would be told: `http://127.0.0.1:8080/`. */
  readonly where: string;
  /** Octets let go because whoever takes them was too slow. */
  readonly lost: number;
  /** Resolves when nothing can be passed on any more: with nothing where the taker has seen enough, else with what went wrong. */
  readonly ended: Promise<TransportError | undefined>;
  /** Lets what is queued go out, then closes. */
  close(): Promise<void>;
}
