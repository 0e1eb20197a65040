import { existsSync } from 'node:fs';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { TransportError } from '../../../../apdu/errors.ts';
import { StateFile } from '../../../../card-sim/soft/memory/state-file.ts';
import { SoftCard } from '../../../../card-sim/soft/soft-card.ts';
import { loadOpensslCbc } from '../../crypto/node-openssl-cbc.ts';
import { quoteWord } from '../quote-word.ts';
import { SoftChannel } from './soft-channel.ts';

/**
 * Switches the soft module on.
 * @param path of the file that keeps it; without one the card is blank, and gone when it is closed.
 * @param create whether a card whose file is not there yet is a blank one.
 * @throws FormatError when the file is not a soft card.
 * @throws TransportError `NO_SOFT_CARD` when the file is not there, `CARD_IN_USE`, `SOFT_CARD_FILE` when it cannot be
 *   read.
 */
export async function openSoftCard(path: string | undefined, create: boolean): Promise<CardChannel> {
  const makeCipher = await loadOpensslCbc();
  if (path === undefined) return new SoftChannel(new SoftCard(undefined, undefined, undefined, makeCipher));
  if (!create && !existsSync(path)) {
    throw new TransportError(
      'NO_SOFT_CARD',
      `there is no soft card ${path}; check the name, or make one: ` +
        `tollcast issuer personalise --card ${quoteWord(`soft:${path}`)}`,
    );
  }
  const file = new StateFile(path);
  try {
    return new SoftChannel(new SoftCard(file, undefined, undefined, makeCipher), { onClose: () => file.close() });
  } catch (error) {
    file.close();
    throw error;
  }
}
