import { TransportError } from '../../apdu/errors.ts';
import { PrivatePcscd } from './private-pcscd.ts';

/** A reader of this process's own pcscd, taken for one card. */
export interface VirtualReader {
  /** As PC/SC names it. */
  readonly name: string;
  /** TCP port on which vpcd waits for the card. */
  readonly port: number;
  /** Gives the reader back; the last one ends pcscd. */
  release(): Promise<void>;
}

/** One for the process, and always on one socket: PC/SC's library reads the name of the socket only once. */
let daemon: Promise<PrivatePcscd> | undefined;
const taken = [false, false];

/**
 * Takes a virtual reader that nobody else on the machine sees.
 * @throws TransportError `NO_FREE_READER` when both are taken, `NO_PCSCD` when pcscd does not start.
 */
export async function takeVirtualReader(): Promise<VirtualReader> {
  const index = taken.indexOf(false);
  if (index < 0) {
    throw new TransportError('NO_FREE_READER', 'a process has two virtual readers; close one of its cards first');
  }
  taken[index] = true;
  try {
    daemon ??= PrivatePcscd.prepare();
    const pcscd = await daemon;
    await pcscd.run();
    return {
      name: PrivatePcscd.readers[index]!,
      port: pcscd.ports[index]!,
      async release() {
        taken[index] = false;
        if (!taken.includes(true)) await pcscd.kill();
      },
    };
  } catch (error) {
    taken[index] = false;
    throw error;
  }
}
