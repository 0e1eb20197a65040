import { OutOfRangeError } from '../errors.ts';
import { type CommandApdu, needsExtendedLength } from '../iso7816/command-apdu.ts';
import type { ResponseApdu } from '../iso7816/response-apdu.ts';
import { concat, equalTags } from '../octets.ts';
import type { SessionKeys } from './scp03-keys.ts';
import { SecureChannelError } from './secure-channel-error.ts';
import {
  computeAnswerMac,
  chainCommand,
  CHANNEL_MAC_LENGTH,
  encipher,
  FIRST_CHAINING,
  hasAnswerMac,
  MAX_ENCIPHERED_DATA,
  MAX_MACED_DATA,
} from './secure-messaging.ts';
import { C_ENC, CHANNEL_INS, CLA_PLAIN, CLA_SECURE, R_MAC, type SecurityLevel } from './security-level.ts';

/** A command as it travels, and what its answer is checked against. */
interface WrappedCommand {
  readonly command: CommandApdu;
  /** MAC chaining value that the command leaves, 16 octets. */
  readonly chaining: Uint8Array;
}

const NO_DATA = new Uint8Array(0);
/** Short Le 00. */
const LE_ALL = 256;

/** The host's side of one session's secure messaging. It has no input or output of its own. */
export class Scp03Session {
  readonly level: SecurityLevel;
  readonly #keys: SessionKeys;
  #chaining: Uint8Array = FIRST_CHAINING;
  #counter = 0;

  constructor(keys: SessionKeys, level: SecurityLevel) {
    this.#keys = keys;
    this.level = level;
  }

  /**
   * Makes EXTERNAL AUTHENTICATE, which is the first command of the chain at every level.
   * @param cryptogram of the host, 8 octets.
   */
  sealAuthentication(cryptogram: Uint8Array): CommandApdu {
    const header = { ins: CHANNEL_INS.EXTERNAL_AUTHENTICATE, p1: this.level, p2: 0 };
    return this.#chain(header, cryptogram);
  }

  /**
   * Puts a plain command under secure messaging. The card must get the commands in the order of the calls.
   * @param command of class 80, short.
   * @throws OutOfRangeError for any other class, for a command that opens a channel, and for data of more than 247
   *   octets, with C-ENC 239. The session is as it was then.
   */
  wrap(command: CommandApdu): WrappedCommand {
    const { cla, ins, data = NO_DATA } = command;
    const enciphered = (this.level & C_ENC) !== 0;
    if (ins === CHANNEL_INS.INITIALIZE_UPDATE || ins === CHANNEL_INS.EXTERNAL_AUTHENTICATE) {
      throw new OutOfRangeError('a channel is not opened through another; open it on the channel below');
    }
    const max = enciphered ? MAX_ENCIPHERED_DATA : MAX_MACED_DATA;
    if (cla !== CLA_PLAIN) {
      throw new OutOfRangeError(`a command of class ${cla.toString(16)} cannot go through the channel; send class 80`);
    }
    if (data.length > max || needsExtendedLength(command)) {
      throw new OutOfRangeError(
        `through this channel a command holds 0 to ${max} octets of data and short Le; send less at a time`,
      );
    }
    // The counter counts every command, also one that has nothing to encipher.
    this.#counter++;
    const sent = enciphered && data.length > 0 ? encipher(this.#keys.enc, this.#counter, data) : data;
    return { command: this.#chain(command, sent), chaining: this.#chaining };
  }

  #chain(command: Omit<CommandApdu, 'cla'>, data: Uint8Array): CommandApdu {
    const { ins, p1, p2 } = command;
    this.#chaining = chainCommand(this.#keys.mac, this.#chaining, command, data);
    // With R-MAC every command has an answer.
    const le = (this.level & R_MAC) !== 0 && ins !== CHANNEL_INS.EXTERNAL_AUTHENTICATE ? LE_ALL : undefined;
    const sealed = concat(data, this.#chaining.subarray(0, CHANNEL_MAC_LENGTH));
    return { cla: CLA_SECURE, ins, p1, p2, data: sealed, le: command.le === undefined ? le : LE_ALL };
  }

  /**
   * Checks an answer and takes the R-MAC off. Of an answer without R-MAC only the status word is left.
   * @param chaining as {@link wrap} gave it with the command.
   * @throws SecureChannelError `FORGED_ANSWER`.
   */
  unwrap(answer: ResponseApdu, chaining: Uint8Array): ResponseApdu {
    const { data, status } = answer;
    if ((this.level & R_MAC) === 0) return answer;
    // 61xx and 6Cxx would make the host ask again outside the channel. This card gives neither inside.
    const asksAgain = status >>> 8 === 0x61 || status >>> 8 === 0x6c;
    if (!asksAgain && !hasAnswerMac(status)) return { data: NO_DATA, status };
    const end = data.length - CHANNEL_MAC_LENGTH;
    const plain = data.subarray(0, Math.max(end, 0));
    if (
      asksAgain ||
      end < 0 ||
      !equalTags(computeAnswerMac(this.#keys.rmac, chaining, plain, status), data.subarray(end))
    ) {
      throw new SecureChannelError(
        'FORGED_ANSWER',
        'the R-MAC of the answer is wrong, so it is not as the card gave it; look for what stands between, and ' +
          'open the channel again',
      );
    }
    return { data: plain, status };
  }
}
