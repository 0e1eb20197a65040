import { hash } from 'node:crypto';
import { FormatError } from '../../../apdu/errors.ts';
import { layout } from '../../../apdu/layout/field-table.ts';
import { opaque, reserved } from '../../../apdu/layout/field.ts';
import { isImage } from './card-image.ts';

/** "TCSF", version 2: the whole image, written anew by each change. Version 1 was the image by itself. */
const MAGIC = Uint8Array.of(0x54, 0x43, 0x53, 0x46, 0x00, 0x02);
const SHA_256 = 32;

/** What stands before the image in the file. */
const FRAME = layout('soft card file of version 2', {
  magic: opaque(MAGIC.length),
  spare: reserved(2),
  digest: opaque(SHA_256),
});

/**
 * Takes the image out of a file of version 1 or 2. One of version 1, which has no checksum, is an image.
 * @throws FormatError when the file is damaged, or not a soft card of these versions.
 */
export function unframeImage(octets: Uint8Array): Uint8Array {
  if (isImage(octets)) return octets;
  if (octets.length < FRAME.length || octets.some((octet, at) => at < FRAME.at.digest && octet !== (MAGIC[at] ?? 0))) {
    throw new FormatError('it is not a soft card, of another version, or damaged at its beginning');
  }
  const image = octets.subarray(FRAME.length);
  const digest = digestOf(image);
  if (FRAME.view(octets, 'digest').some((octet, at) => octet !== digest[at])) {
    throw new FormatError('it is damaged: its checksum is not that of its content');
  }
  return image;
}

function digestOf(image: Uint8Array): Uint8Array {
  return hash('sha256', image, 'buffer');
}
