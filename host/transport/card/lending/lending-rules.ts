import { CLA_ISO, CLA_MODULE, INS } from '../../../../apdu/decode-module/instruction.ts';
import { MODULE_AID } from '../../../../apdu/decode-module/select-answer.ts';
import { encodeCommand } from '../../../../apdu/iso7816/command-apdu.ts';
import { toHex } from '../../../../apdu/octets.ts';

/** The command that selects the decode module, as all who use it send it. */
export const SELECT_MODULE: Uint8Array = encodeCommand({
  cla: CLA_ISO,
  ins: INS.SELECT,
  p1: 4,
  p2: 0,
  data: MODULE_AID,
  le: 256,
});

export function isModuleSelect(command: Uint8Array): boolean {
  return toHex(command) === toHex(SELECT_MODULE);
}

/**
 * Commands that leave session, PIN and secure channel as they are. They take their turn between two commands of the
 * card's owner, who does not notice. All others get the card to themselves for a time.
 */
const HARMLESS: ReadonlySet<number> = new Set([
  INS.GET_PURSE,
  INS.GET_LOG,
  INS.GET_DATA,
  INS.LIST_KEYS,
  INS.START_LOAD,
  INS.LOAD_CREDIT,
  INS.GET_RECEIPT,
  INS.ACKNOWLEDGE_RECEIPTS,
  INS.LEAVE,
]);

export function isHarmless(command: Uint8Array): boolean {
  return command[0] === CLA_MODULE && HARMLESS.has(command[1] ?? 0);
}
