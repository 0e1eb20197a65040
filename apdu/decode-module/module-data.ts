import { FormatError } from '../errors.ts';
import { readUint, writeUint } from '../octets.ts';

/** Objects of GET DATA, P1 P2; `firmware-notes/protocol.md` 2.3. */
export const DATA_OBJECT = { module: 0x0100, verificationKeys: 0x0103, publicKey: 0x0104 } as const;

const LENGTH = 12;

/** What a module can do. */
export interface ModuleData {
  /** As in the SELECT answer. */
  readonly capabilities: number;
  /** Longest span in octets. */
  readonly maxSpan: number;
  /** Most octets of data in one command. */
  readonly maxCommandData: number;
  /** Of the applet or soft module, major and minor octet; to be shown, never to be decided by. */
  readonly appletVersion: number;
  /** Free persistent memory in pages of 256 octets, as far as the module knows. */
  readonly freePages: number;
}

/** The answer to GET DATA 0100. @throws FormatError when it is none. */
export function parseModuleData(answer: Uint8Array): ModuleData {
  if (answer.length !== LENGTH) {
    throw new FormatError(`${answer.length} octets are not the data of a decode module; the card is faulty`);
  }
  return {
    capabilities: readUint(answer, 0, 4),
    maxSpan: readUint(answer, 4, 2),
    maxCommandData: readUint(answer, 6, 2),
    appletVersion: readUint(answer, 8, 2),
    freePages: readUint(answer, 10, 2),
  };
}

/** As a card answers it, 12 octets. */
export function encodeModuleData(data: ModuleData): Uint8Array {
  const answer = new Uint8Array(LENGTH);
  writeUint(answer, 0, 4, data.capabilities);
  writeUint(answer, 4, 2, data.maxSpan);
  writeUint(answer, 6, 2, data.maxCommandData);
  writeUint(answer, 8, 2, data.appletVersion);
  writeUint(answer, 10, 2, data.freePages);
  return answer;
}
