import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { KeyMemory } from '../keys/key-memory.ts';
import { PurseMemory } from '../money/purse-memory.ts';
import { blankImage, CARD_IMAGE, growImage, isOlderImage, requireImage } from './card-image.ts';
import { type CardStore, Eeprom } from './eeprom.ts';

/** Opens the persistent memory of a card. @throws FormatError when the store holds something else. */
export function openEeprom(keys: ChannelKeySet, store?: CardStore): Eeprom {
  const octets = store?.load();
  return new Eeprom(octets === undefined ? blankImage(keys) : openImage(octets), store);
}

/**
 * A copy of an image, brought to the present version. The segment that version 1 charged last stays paid.
 * @throws FormatError when it is not an image of a card.
 */
export function openImage(octets: Uint8Array): Uint8Array {
  requireImage(octets);
  if (!isOlderImage(octets)) return octets.slice();
  const eeprom = new Eeprom(growImage(octets));
  const { record } = new PurseMemory(eeprom, CARD_IMAGE.at.records, CARD_IMAGE.at.receipts);
  const keyMemory = new KeyMemory(eeprom, CARD_IMAGE.at.keyMemory);
  const purchase = keyMemory.purchases.find((held) => held?.service === record.lastFlatService);
  if (purchase !== undefined) eeprom.write(keyMemory.addPaid(purchase, record.lastFlatSegment));
  return eeprom.image;
}
