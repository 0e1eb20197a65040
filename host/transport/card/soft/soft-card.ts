import { existsSync } from 'node:fs';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { TollcastError, TransportError } from '../../../../apdu/errors.ts';
import { SoftCard } from '../../../../card-sim/soft/soft-card.ts';
import { StateFile } from '../../../../card-sim/soft/memory/state-file.ts';
import { InProcessChannel } from './in-process-card.ts';

/**
 * Switches the soft module on.
 * @param file keeps it; without one the card is blank and gone when it is closed.
 * @param create whether a card that is not there yet is a blank one.
 * @throws FormatError when the file is not a soft card.
 * @throws TransportError with code NO_SOFT_CARD when there is none, CARD_IN_USE, or SOFT_CARD_FILE when it cannot be read.
 */
export function openSoftCard(file: string | undefined, create: boolean): CardChannel {
  if (file !== undefined && !create && !existsSync(file)) {
    throw new TransportError(
      'NO_SOFT_CARD',
      `there is no soft card ${file}; check the name, or make one: tollcast issuer personalise --card soft:${file}`,
    );
  }
  let kept: StateFile | undefined;
  let card: SoftCard;
  try {
    kept = file === undefined ? undefined : new StateFile(file);
    card = new SoftCard(kept);
  } catch (cause) {
    kept?.close();
    if (cause instanceof TollcastError || !(cause instanceof Error)) throw cause;
    throw new TransportError('SOFT_CARD_FILE', `the soft card cannot be read (${cause.message}); name another file`, {
      cause,
    });
  }
  return new InProcessChannel({
    powerOn: () => card.powerOn(),
    transmit: (command) => card.transmit(command),
    close() {
      card.powerOff();
      kept?.close();
    },
  });
}
