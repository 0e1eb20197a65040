import { OutOfRangeError } from '../../../apdu/errors.ts';
import { readUint, writeUint } from '../../../apdu/octets.ts';

/** RTP payload type of the packets of a file; dynamic, RFC 3551 3. */
export const PAYLOAD_TYPE_FILE = 97;
/** Number of a packet that describes the file instead of being a piece of it. */
export const DESCRIPTION_PIECE = 0xffff_ffff;

/** What a file is, `firmware-notes/protocol.md` 5.5. */
export interface FileDescription {
  /** Without a folder. */
  readonly name: string;
  /** Octets, 1 and more. */
  readonly length: number;
  /** SHA-256 of the whole file, 32 octets. */
  readonly digest: Uint8Array;
  /** Octets of every piece but the last, which may be shorter. */
  readonly pieceLength: number;
}

const VERSION = 1;
/** Offsets of the fields. */
const AT = { version: 0, reserved: 1, pieceLength: 2, length: 4, digest: 10, name: 42 } as const;
const DIGEST_LENGTH = 32;
/** Pieces of a file at most, which a receiver keeps a bit for: 353 GB in full packets. */
const MAX_PIECES = 2 ** 28;
/** Octets of a name in UTF-8. */
const MAX_NAME = 255;

/** How many pieces a file has. */
export function countPieces({ length, pieceLength }: FileDescription): number {
  return Math.ceil(length / pieceLength);
}

/** @throws OutOfRangeError when the name cannot be that of a file everywhere, or the file is empty or too large. */
export function encodeFileDescription(file: FileDescription): Uint8Array {
  const name = new TextEncoder().encode(file.name);
  if (!isFileName(file.name)) {
    throw new OutOfRangeError(
      `"${file.name.slice(0, 40)}" cannot be the name of a file at everybody's; give the file another name`,
    );
  }
  if (file.length < 1 || countPieces(file) > MAX_PIECES) {
    throw new OutOfRangeError(
      `a file of ${file.length} octets cannot be sent; send one that is neither empty nor so large`,
    );
  }
  const octets = new Uint8Array(AT.name + name.length);
  octets[AT.version] = VERSION;
  writeUint(octets, AT.pieceLength, 2, file.pieceLength);
  writeUint(octets, AT.length, 6, file.length);
  octets.set(file.digest, AT.digest);
  octets.set(name, AT.name);
  return octets;
}

/** @returns undefined when the octets are not a description, or one that cannot be right. */
export function parseFileDescription(octets: Uint8Array): FileDescription | undefined {
  if (octets.length <= AT.name || octets[AT.version] !== VERSION || octets[AT.reserved] !== 0) return undefined;
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true }).decode(octets.subarray(AT.name));
  } catch {
    return undefined;
  }
  const file = {
    name,
    length: readUint(octets, AT.length, 6),
    digest: octets.slice(AT.digest, AT.digest + DIGEST_LENGTH),
    pieceLength: readUint(octets, AT.pieceLength, 2),
  };
  const isRight = isFileName(name) && file.length > 0 && file.pieceLength > 0 && countPieces(file) <= MAX_PIECES;
  return isRight ? file : undefined;
}

/** A name that leads nowhere else, hides nothing, and writes nothing on a terminal but itself. */
function isFileName(name: string): boolean {
  const octets = new TextEncoder().encode(name).length;
  const isPlain = !/^[.-]|[/\\:*?"<>|\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|[. ]$/u.test(name);
  return octets > 0 && octets <= MAX_NAME && isPlain;
}
