import type { CardChannel } from '../../../apdu/card-channel.ts';
import { TollcastError, TransportError } from '../../../apdu/errors.ts';
import { SoftCard } from '../../../card-sim/soft/soft-card.ts';
import { StateFile } from '../../../card-sim/soft/state-file.ts';
import { InProcessChannel } from './in-process-card.ts';

/**
 * Switches the soft module on.
 * @param file keeps it; without one the card is blank and gone when it is closed.
 * @throws FormatError when the file is not a soft card.
 * @throws TransportError with code SOFT_CARD_FILE when it cannot be read.
 */
export function openSoftCard(file?: string): CardChannel {
  let card: SoftCard;
  try {
    card = new SoftCard(file === undefined ? undefined : new StateFile(file));
  } catch (cause) {
    if (cause instanceof TollcastError || !(cause instanceof Error)) throw cause;
    throw new TransportError('SOFT_CARD_FILE', `the soft card cannot be read (${cause.message}); name another file`, {
      cause,
    });
  }
  return new InProcessChannel({
    powerOn: () => card.powerOn(),
    transmit: (command) => card.transmit(command),
    close: () => card.powerOff(),
  });
}
