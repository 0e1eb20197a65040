import { describeStatus, type StatusMeaning, StatusWordError } from '../iso7816/status-word.ts';

/** The status words of the decode module; `firmware-notes/protocol.md` 2.2. */
export const STATUS = {
  DONE: 0x9000,
  /** The low octet says how many octets of the list are left; 0 means 256 or more. */
  MORE: 0x6100,
  /** The low half octet says how many tries of the PIN are left. */
  WRONG_PIN: 0x63c0,
  WRONG_CRYPTOGRAM: 0x6300,
  WRONG_LENGTH: 0x6700,
  SECURITY: 0x6982,
  PIN_BLOCKED: 0x6983,
  NOT_NOW: 0x6985,
  NOT_SELECTED: 0x6986,
  CRYPTO: 0x6988,
  BAD_FIELD: 0x6a80,
  NOT_FOUND: 0x6a82,
  NO_ROOM: 0x6a84,
  WRONG_PARAMETERS: 0x6a86,
  UNKNOWN_KEY: 0x6a88,
  UNKNOWN_INSTRUCTION: 0x6d00,
  UNKNOWN_CLASS: 0x6e00,
  NO_CREDIT: 0x9401,
  ABOVE_CEILING: 0x9402,
  SPEND_LIMIT: 0x9403,
  RECEIPTS_DUE: 0x9404,
  OUTSIDE_VALIDITY: 0x9405,
  OLD_GROUP: 0x9406,
  ABOVE_MAXIMUM_BALANCE: 0x9407,
  BLIND_MISMATCH: 0x9408,
  ABOVE_RATING: 0x9409,
  CLASS_REFUSED: 0x940a,
  OLD_NUMBER: 0x940b,
  FOREIGN_STREAM: 0x940c,
  WRONG_PARENT: 0x940d,
} as const;

/** Neither of the two is an error: the end of a command, and a list that goes on. */
type CodeName = Exclude<keyof typeof STATUS, 'DONE' | 'MORE'>;

/** `code` of a {@link ModuleError}: the name of its status word, or `DEFECT` for one that the page does not know. */
export type ModuleErrorCode = CodeName | 'DEFECT';

const MEANINGS: ReadonlyMap<number, StatusMeaning> = new Map([
  [
    STATUS.WRONG_CRYPTOGRAM,
    { text: 'the cryptogram of the secure channel is wrong', advice: 'check the keys of this card' },
  ],
  [STATUS.WRONG_LENGTH, { text: 'the command has a length it cannot have', advice: 'check its data' }],
  [STATUS.SECURITY, { text: 'it wants the PIN, or the secure channel', advice: 'verify the PIN, or ask the issuer' }],
  [STATUS.PIN_BLOCKED, { text: 'the PIN is blocked', advice: 'ask the issuer to set a new one' }],
  [
    STATUS.NOT_NOW,
    {
      text: 'not in this state of the card, or no session is open for this service',
      advice: 'open the session, or ask the issuer',
    },
  ],
  [STATUS.NOT_SELECTED, { text: 'the decode module is not selected', advice: 'SELECT it first' }],
  [STATUS.CRYPTO, { text: 'the message is not authentic', advice: 'drop it' }],
  [
    STATUS.BAD_FIELD,
    { text: 'a field is outside version 1 of the protocol', advice: 'drop the message; a newer module may take it' },
  ],
  [STATUS.NOT_FOUND, { text: 'no such application, receipt or record', advice: 'check the card, or the number' }],
  [STATUS.NO_ROOM, { text: 'no place for a key is free', advice: 'delete a key that is no longer needed' }],
  [STATUS.UNKNOWN_KEY, { text: 'the key it names is not on the card', advice: 'load its key message first' }],
  [STATUS.NO_CREDIT, { text: 'not enough credit for this group', advice: 'load credit' }],
  [
    STATUS.ABOVE_CEILING,
    { text: 'it is above what the purchase allows', advice: 'drop it; ask the operator of the service' },
  ],
  [
    STATUS.SPEND_LIMIT,
    { text: 'the spend limit of this day is reached', advice: 'wait for the next day, or raise it with the PIN' },
  ],
  [
    STATUS.RECEIPTS_DUE,
    { text: 'receipts are due', advice: 'deliver the receipts to the issuer and bring back the acknowledgement' },
  ],
  [
    STATUS.OUTSIDE_VALIDITY,
    { text: 'it is outside the validity of key or purchase', advice: 'wait for the next key, or renew the purchase' },
  ],
  [STATUS.OLD_GROUP, { text: 'the group is older than one of this stream that was opened', advice: 'drop it' }],
  [STATUS.ABOVE_MAXIMUM_BALANCE, { text: 'the balance would pass its maximum', advice: 'load less' }],
  [
    STATUS.BLIND_MISMATCH,
    {
      text: 'the key is blind where a metered one is needed, or the reverse',
      advice: 'drop it, or use the other DECODE',
    },
  ],
  [
    STATUS.ABOVE_RATING,
    { text: 'the content is rated above the limit of this card', advice: 'verify the PIN, where the card allows it' },
  ],
  [STATUS.CLASS_REFUSED, { text: 'the content does not accept this class of module', advice: 'use another card' }],
  [STATUS.OLD_NUMBER, { text: 'the number of the message is used or too old', advice: 'drop it' }],
  [STATUS.FOREIGN_STREAM, { text: 'the stream is not one of the content key', advice: 'drop it' }],
  [STATUS.WRONG_PARENT, { text: 'this kind of key may not come under that parent', advice: 'drop it' }],
]);

function isCode(name: string): name is CodeName {
  return name !== 'DONE' && name !== 'MORE' && name in STATUS;
}

const CODES: ReadonlyMap<number, ModuleErrorCode> = new Map(
  Object.keys(STATUS)
    .filter(isCode)
    .map((code) => [STATUS[code], code]),
);

function codeOf(status: number): ModuleErrorCode {
  if (status >>> 4 === STATUS.WRONG_PIN >>> 4) return 'WRONG_PIN';
  return CODES.get(status) ?? 'DEFECT';
}

/** What a status word of the decode module means; ISO/IEC 7816-4 has the rest. */
export function describeModuleStatus(status: number): StatusMeaning {
  return describeStatus(status, (word) => MEANINGS.get(word));
}

/** An answer of the decode module other than 9000; `code` names the status word. */
export class ModuleError extends StatusWordError {
  override readonly name = 'ModuleError';
  override readonly code: ModuleErrorCode;

  /** @param command what was asked, as it should stand in the message: "DECODE". */
  constructor(status: number, command: string) {
    super(status, command, (word) => MEANINGS.get(word));
    this.code = codeOf(status);
  }
}
