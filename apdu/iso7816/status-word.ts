import { TollcastError } from '../errors.ts';

/** Normal end of a command. */
export const SW_OK = 0x9000;

/** A status word in words. */
export interface StatusMeaning {
  /** What happened. */
  readonly text: string;
  /** What to do next. */
  readonly advice: string;
}

/** An application's own status words; consulted before those of ISO/IEC 7816-4, so that it may say more. */
export type StatusMeanings = (status: number) => StatusMeaning | undefined;

/** A card's answer other than 9000. */
export class StatusWordError extends TollcastError {
  override readonly name: string = 'StatusWordError';
  /** SW1-SW2. */
  readonly status: number;
  readonly meaning: StatusMeaning;

  /**
   * @param status SW1-SW2.
   * @param command what was asked, as it should stand in the message: "SELECT".
   * @param meanings the application's own status words.
   */
  constructor(status: number, command: string, meanings?: StatusMeanings) {
    const meaning = describeStatus(status, meanings);
    super(
      `SW_${formatStatus(status)}`,
      `the card answered ${formatStatus(status)} to ${command}: ${meaning.text}; ${meaning.advice}`,
    );
    this.status = status;
    this.meaning = meaning;
  }
}

/** @throws StatusWordError unless the status word is 9000. */
export function assertStatusOk(status: number, command: string, meanings?: StatusMeanings): void {
  if (status !== SW_OK) throw new StatusWordError(status, command, meanings);
}

/** Four upper-case hexadecimal digits: "6A82". */
export function formatStatus(status: number): string {
  return status.toString(16).toUpperCase().padStart(4, '0');
}

/** Always finds something to say: the application's meaning, ISO's for the word, or ISO's for its class. */
export function describeStatus(status: number, meanings?: StatusMeanings): StatusMeaning {
  return meanings?.(status) ?? describeVariable(status) ?? ISO_WORDS.get(status) ?? describeClass(status);
}

/** ISO/IEC 7816-4 5.1.3: the words whose second octet carries a number. */
function describeVariable(status: number): StatusMeaning | undefined {
  const sw1 = status >>> 8;
  const sw2 = status & 0xff;
  if (sw1 === 0x61) {
    return { text: `${sw2 === 0 ? '256 or more' : sw2} octets of answer wait`, advice: 'fetch them with GET RESPONSE' };
  }
  if (sw1 === 0x6c) return { text: 'wrong Le', advice: `repeat the command with Le ${sw2 === 0 ? 256 : sw2}` };
  if (status >>> 4 === 0x63c) {
    const left = status & 0xf;
    return left === 0
      ? { text: 'wrong PIN or key, no try is left', advice: 'ask the issuer to unblock the card' }
      : {
          text: `wrong PIN or key, ${left} ${left === 1 ? 'try is' : 'tries are'} left`,
          advice: 'check it and try again',
        };
  }
  return undefined;
}

function describeClass(status: number): StatusMeaning {
  const known = ISO_CLASSES.get(status >>> 8);
  if (known !== undefined) return known;
  return { text: 'a status word ISO/IEC 7816-4 does not define', advice: 'look it up in the documents of this card' };
}

const NOT_DONE = 'the card did not carry it out: check what has to come before it';
const OTHER_CARD = 'check that this is the card you meant';

/** ISO/IEC 7816-4:2020 tables 6 and 7. */
const ISO_WORDS: ReadonlyMap<number, StatusMeaning> = new Map([
  [0x9000, { text: 'done', advice: 'nothing to do' }],
  [0x6200, { text: 'warning, persistent memory unchanged', advice: 'read the answer with care' }],
  [0x6281, { text: 'part of the answer may be damaged', advice: 'read it again' }],
  [0x6282, { text: 'the end of the file or record came first', advice: 'ask for fewer octets' }],
  [0x6283, { text: 'the selected file is deactivated', advice: 'ask the issuer to activate it' }],
  [0x6285, { text: 'the selected file is terminated', advice: 'the card needs replacing' }],
  [0x6300, { text: 'warning, persistent memory changed, or authentication failed', advice: 'check the key used' }],
  [0x6381, { text: 'the file is full', advice: 'delete or acknowledge what is in it' }],
  [0x6400, { text: 'the command failed, persistent memory unchanged', advice: 'try again' }],
  [0x6581, { text: 'writing persistent memory failed', advice: 'the card is worn out: have it replaced' }],
  [0x6700, { text: 'wrong length', advice: 'check Lc and Le' }],
  [0x6881, { text: 'the card has no logical channels', advice: 'use the basic channel (CLA bits 1 and 2 zero)' }],
  [0x6882, { text: 'the card has no secure messaging here', advice: 'send the command plainly' }],
  [0x6883, { text: 'the last command of the chain was expected', advice: 'start the chain again' }],
  [0x6884, { text: 'the card has no command chaining', advice: 'send it in one command' }],
  [0x6981, { text: 'the command does not fit this file', advice: 'select the right file first' }],
  [0x6982, { text: 'security status not satisfied', advice: 'authenticate or present the PIN first' }],
  [0x6983, { text: 'authentication method blocked', advice: 'ask the issuer to unblock the card' }],
  [0x6984, { text: 'reference data not usable', advice: 'ask the issuer to unblock or replace the card' }],
  [0x6985, { text: 'conditions of use not satisfied', advice: 'check what has to come before this command' }],
  [0x6986, { text: 'command not allowed, nothing is selected', advice: 'SELECT an application first' }],
  [0x6987, { text: 'secure messaging data missing', advice: 'open the secure channel again' }],
  [0x6988, { text: 'secure messaging data wrong', advice: 'open the secure channel again' }],
  [0x6999, { text: 'the application refused to be selected', advice: OTHER_CARD }],
  [0x6a80, { text: 'wrong data', advice: 'check the data field' }],
  [0x6a81, { text: 'function not supported', advice: OTHER_CARD }],
  [0x6a82, { text: 'application or file not found', advice: OTHER_CARD }],
  [0x6a83, { text: 'record not found', advice: 'check the record number' }],
  [0x6a84, { text: 'no room on the card', advice: 'delete something first' }],
  [0x6a85, { text: 'Lc does not fit the structure of the data', advice: 'check Lc and the data field' }],
  [0x6a86, { text: 'wrong P1 or P2', advice: 'check P1 and P2' }],
  [0x6a87, { text: 'Lc does not fit P1 and P2', advice: 'check Lc, P1 and P2' }],
  [0x6a88, { text: 'referenced data or key not found', advice: 'check the number of the key or object' }],
  [0x6a89, { text: 'file exists already', advice: 'choose another name' }],
  [0x6a8a, { text: 'application name exists already', advice: 'choose another name' }],
  [0x6b00, { text: 'wrong P1 or P2, outside the object', advice: 'check P1 and P2' }],
  [0x6d00, { text: 'the card does not know this instruction', advice: OTHER_CARD }],
  [0x6e00, { text: 'the card does not know this class', advice: 'check CLA, and that the application is selected' }],
  [0x6f00, { text: 'the card failed without a reason', advice: 'take it out, insert it again and try once more' }],
]);

const ISO_CLASSES: ReadonlyMap<number, StatusMeaning> = new Map([
  [0x62, { text: 'warning, persistent memory unchanged', advice: 'read the answer with care' }],
  [0x63, { text: 'warning, persistent memory changed', advice: 'read the state back before you go on' }],
  [0x64, { text: 'the command failed, persistent memory unchanged', advice: 'try again' }],
  [0x65, { text: 'the command failed, persistent memory changed', advice: 'read the state back before you go on' }],
  [0x66, { text: 'stopped for security', advice: 'ask the issuer of the card' }],
  [0x67, { text: 'wrong length', advice: 'check Lc and Le' }],
  [0x68, { text: 'the card has no such function in CLA', advice: 'check CLA' }],
  [0x69, { text: 'command not allowed', advice: NOT_DONE }],
  [0x6a, { text: 'wrong parameters', advice: 'check P1, P2 and the data field' }],
  [0x6b, { text: 'wrong P1 or P2', advice: 'check P1 and P2' }],
  [0x6d, { text: 'the card does not know this instruction', advice: OTHER_CARD }],
  [0x6e, { text: 'the card does not know this class', advice: 'check CLA' }],
  [0x6f, { text: 'the card failed without a reason', advice: 'take it out, insert it again and try once more' }],
]);
