import { unframeImage } from './state-frame.ts';
import { StateRing } from './state-ring.ts';

/**
 * Reads the image of a card out of a soft card's file of any version.
 * @returns the image, and the ring that goes on with the file where it has one.
 * @throws FormatError when the file is damaged, or not a soft card.
 */
export function readStateFile(octets: Uint8Array): { readonly image: Uint8Array; readonly ring?: StateRing } {
  return StateRing.isOne(octets) ? StateRing.read(octets) : { image: unframeImage(octets) };
}
