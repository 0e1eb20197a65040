import { OutOfRangeError } from '../errors.ts';
import { type CommandApdu, needsExtendedLength } from '../iso7816/command-apdu.ts';
import type { ResponseApdu } from '../iso7816/response-apdu.ts';
import { concat, equalTags } from '../octets.ts';
import type { SessionKeys } from './scp03-keys.ts';
import { SecureChannelError } from './secure-channel-error.ts';
import {
  answerMac,
  chainCommand,
  CHANNEL_MAC_LENGTH,
  encipher,
  FIRST_CHAINING,
  hasAnswerMac,
  MOST_ENCIPHERED_DATA,
  MOST_MACED_DATA,
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

/** The host's side of one session's secure messaging: no input or output of its own. */
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
   * EXTERNAL AUTHENTICATE, which is the first command of the chain whatever the level.
   * @param cryptogram of the host, 8 octets.
   */
  authentication(cryptogram: Uint8Array): CommandApdu {
    const header = { ins: CHANNEL_INS.EXTERNAL_AUTHENTICATE, p1: this.level, p2: 0 };
    return this.#chain(header, cryptogram);
  }

  /**
   * Puts a plain command under secure messaging. The order of the calls is the order in which the card must get the commands.
   * @param command of class 80, short.
   * @throws OutOfRangeError for any other class, a command that opens a channel, or data of more than 247 octets, with C-ENC 239; the
   * session is as it was then.
   */
  wrap(command: CommandApdu): WrappedCommand {
    const { cla, ins, data = NO_DATA } = command;
    const enciphered = (this.level & C_ENC) !== 0;
    if (ins === CHANNEL_INS.INITIALIZE_UPDATE || ins === CHANNEL_INS.EXTERNAL_AUTHENTICATE) {
      throw new OutOfRangeError('a channel is not opened through another; open it on the channel below');
    }
    const most = enciphered ? MOST_ENCIPHERED_DATA : MOST_MACED_DATA;
    if (cla !== CLA_PLAIN) {
      throw new OutOfRangeError(`a command of class ${cla.toString(16)} cannot go through the channel; send class 80`);
    }
    if (data.length > most || needsExtendedLength(command)) {
      throw new OutOfRangeError(
        `through this channel a command holds 0 to ${most} octets of data and short Le; send less at a time`,
      );
    }
    // Counted for every command, also where there is nothing to encipher.
    this.#counter++;
    const sent = enciphered && data.length > 0 ? encipher(this.#keys.enc, this.#counter, data) : data;
    return { command: this.#chain(command, sent), chaining: this.#chaining };
  }

  #chain(command: Omit<CommandApdu, 'cla'>, data: Uint8Array): CommandApdu {
    const { ins, p1, p2 } = command;
    this.#chaining = chainCommand(this.#keys.mac, this.#chaining, command, data);
    // An R-MAC is an answer, also to a command that asks for none.
    const le = (this.level & R_MAC) !== 0 && ins !== CHANNEL_INS.EXTERNAL_AUTHENTICATE ? LE_ALL : undefined;
    const sealed = concat(data, this.#chaining.subarray(0, CHANNEL_MAC_LENGTH));
    return { cla: CLA_SECURE, ins, p1, p2, data: sealed, le: command.le === undefined ? le : LE_ALL };
  }

  /**
   * Checks an answer and takes the R-MAC off; of a status word without R-MAC only itself is left.
   * @param chaining as {@link wrap} gave it with the command.
   * @throws SecureChannelError `FORGED_ANSWER`.
   */
  unwrap(answer: ResponseApdu, chaining: Uint8Array): ResponseApdu {
    const { data, status } = answer;
    if ((this.level & R_MAC) === 0) return answer;
    // Only an answer that goes on or asks for another Le could make the host ask again, outside the channel; this card gives none inside.
    const asksAgain = status >>> 8 === 0x61 || status >>> 8 === 0x6c;
    if (!asksAgain && !hasAnswerMac(status)) return { data: NO_DATA, status };
    const end = data.length - CHANNEL_MAC_LENGTH;
    const plain = data.subarray(0, Math.max(end, 0));
    if (asksAgain || end < 0 || !equalTags(answerMac(this.#keys.rmac, chaining, plain, status), data.subarray(end))) {
      throw new SecureChannelError(
        'FORGED_ANSWER',
        'the answer does not come from the card as it is, its R-MAC is wrong; look for what stands between, and open the channel again',
      );
    }
    return { data: plain, status };
  }
}
