import { MODULE_DATA } from '../layout/card.ts';
import type { Values } from '../layout/field-table.ts';

/** Objects of GET DATA, P1 P2; `firmware-notes/protocol.md` 2.3. */
export const DATA_OBJECT = { module: 0x0100, limits: 0x0102, verificationKeys: 0x0103, publicKey: 0x0104 } as const;

/** What a module can do. */
export interface ModuleData extends Values<typeof MODULE_DATA> {}

/** Reads the answer to GET DATA 0100. @throws FormatError when it is not 12 octets. */
export function parseModuleData(answer: Uint8Array): ModuleData {
  return MODULE_DATA.decode(answer);
}

/** Makes the 12 octets that a card answers. */
export function encodeModuleData(data: ModuleData): Uint8Array {
  return MODULE_DATA.encode(data);
}
