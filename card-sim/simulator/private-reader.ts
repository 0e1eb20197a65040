import { TransportError } from '../../apdu/errors.ts';
import { PrivatePcscd } from './private-pcscd.ts';

/** A slot of this process's own pcscd. */
export interface ReaderSlot {
  /** As PC/SC names it. */
  readonly reader: string;
  /** Of vpcd, where the card connects. */
  readonly port: number;
  /** Gives the slot back; the last one ends the daemon. */
  release(): Promise<void>;
}

/** One for the process, on one socket for good: PC/SC's library reads the socket's name only once. */
let daemon: Promise<PrivatePcscd> | undefined;
const taken = [false, false];

/**
 * Takes a virtual reader that nobody else on the machine sees.
 * @throws TransportError `NO_FREE_READER` when both are taken.
 */
export async function takeReaderSlot(): Promise<ReaderSlot> {
  const slot = taken.indexOf(false);
  if (slot < 0) {
    throw new TransportError('NO_FREE_READER', 'a process has two virtual readers; close one of its cards first');
  }
  taken[slot] = true;
  try {
    daemon ??= PrivatePcscd.prepare();
    const pcscd = await daemon;
    await pcscd.run();
    return {
      reader: PrivatePcscd.readers[slot]!,
      port: pcscd.ports[slot]!,
      async release() {
        taken[slot] = false;
        if (!taken.includes(true)) await pcscd.kill();
      },
    };
  } catch (error) {
    taken[slot] = false;
    throw error;
  }
}
