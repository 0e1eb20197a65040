import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { MODULE_AID } from '../../apdu/decode-module/select-answer.ts';
import type { CommandApdu } from '../../apdu/iso7816/command-apdu.ts';
import { encodeResponse } from '../../apdu/iso7816/response-apdu.ts';
import { concat, equalTags, writeUint } from '../../apdu/octets.ts';
import { decodePutKey, PUT_KEY_LENGTH, PUT_KEY_P2, encodePutKeyAnswer } from '../../apdu/secure-channel/put-key.ts';
import {
  deriveCardChallenge,
  deriveCardCryptogram,
  CHALLENGE_LENGTH,
  type ChannelKeySet,
  deriveSessionKeys,
  deriveHostCryptogram,
  MAX_COUNTER,
  type SessionKeys,
} from '../../apdu/secure-channel/scp03-keys.ts';
import {
  computeAnswerMac,
  chainCommand,
  CHANNEL_MAC_LENGTH,
  decipher,
  FIRST_CHAINING,
  hasAnswerMac,
} from '../../apdu/secure-channel/secure-messaging.ts';
import {
  C_ENC,
  CLA_PLAIN,
  isSecurityLevel,
  R_MAC,
  type SecurityLevel,
} from '../../apdu/secure-channel/security-level.ts';
import { refuse } from './refusal.ts';

/** The part of the card's persistent memory that belongs to the secure channel. */
export interface ChannelMemory {
  readonly keys: ChannelKeySet;
  /** Sequence counter, 0 to FFFFFF. */
  readonly counter: number;
  /** 8 octets, zeros on a blank card. */
  readonly cardId: Uint8Array;
  /** One atomic write. */
  raiseCounter(): void;
  /** One atomic write; the counter stays. */
  replaceKeys(keys: ChannelKeySet): void;
}

/** A command without its secure messaging, and the security level that it had. */
export interface UnwrappedCommand {
  readonly command: CommandApdu;
  readonly level: SecurityLevel;
}

/** A channel between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE. */
interface HalfOpen {
  readonly keys: SessionKeys;
  readonly hostCryptogram: Uint8Array;
}

interface Open {
  readonly keys: SessionKeys;
  readonly level: SecurityLevel;
  chaining: Uint8Array;
  counter: number;
}

/** SCP03; pseudo-random card challenge and R-MAC. */
const PROTOCOL = Uint8Array.of(0x03, 0x30);
const NO_DATA = new Uint8Array(0);

/**
 * The card's end of SCP03 (GlobalPlatform Amendment D, AES-128, S8 mode, i = 30), from one reset to the next. The
 * caller checks CLA, INS and, where a command has one, the life state; all else of protocol 9 is here.
 */
export class CardSecureChannel {
  readonly #memory: ChannelMemory;
  #halfOpen: HalfOpen | undefined;
  #open: Open | undefined;

  constructor(memory: ChannelMemory) {
    this.#memory = memory;
  }

  /** Ends the channel, also one that is half open. */
  end(): void {
    this.#halfOpen = undefined;
    this.#open = undefined;
  }

  /**
   * INITIALIZE UPDATE, CLA 80 (protocol 9.1). One that succeeds ends an open channel.
   * @param alive whether the life state allows it.
   * @returns 32 octets.
   * @throws Refusal
   */
  initializeUpdate(command: CommandApdu, alive: boolean): Uint8Array {
    const { p1, p2, data: hostChallenge = NO_DATA } = command;
    const { keys, counter, cardId } = this.#memory;
    if (p2 !== 0) refuse(STATUS.WRONG_PARAMETERS);
    if (hostChallenge.length !== CHALLENGE_LENGTH) refuse(STATUS.WRONG_LENGTH);
    if (!alive) refuse(STATUS.NOT_NOW);
    if (p1 !== 0 && p1 !== keys.version) refuse(STATUS.UNKNOWN_KEY);
    if (counter === MAX_COUNTER) refuse(STATUS.NOT_NOW);
    const challenge = deriveCardChallenge(keys.enc, counter, MODULE_AID);
    const sessionKeys = deriveSessionKeys(keys, hostChallenge, challenge);
    this.end();
    this.#halfOpen = {
      keys: sessionKeys,
      hostCryptogram: deriveHostCryptogram(sessionKeys, hostChallenge, challenge),
    };
    const tail = new Uint8Array(3);
    writeUint(tail, 0, 3, counter);
    return concat(
      cardId,
      Uint8Array.of(0, 0, keys.version),
      PROTOCOL,
      challenge,
      deriveCardCryptogram(sessionKeys, hostChallenge, challenge),
      tail,
    );
  }

  /** EXTERNAL AUTHENTICATE, CLA 84 (protocol 9.1). @throws Refusal */
  externalAuthenticate(command: CommandApdu): void {
    const { p1: level, p2, data = NO_DATA } = command;
    if (!isSecurityLevel(level) || p2 !== 0) refuse(STATUS.WRONG_PARAMETERS);
    if (data.length !== CHALLENGE_LENGTH + CHANNEL_MAC_LENGTH) refuse(STATUS.WRONG_LENGTH);
    const halfOpen = this.#halfOpen;
    if (halfOpen === undefined) refuse(STATUS.NOT_NOW);
    this.#halfOpen = undefined;
    const cryptogram = data.subarray(0, CHALLENGE_LENGTH);
    const chaining = chainCommand(halfOpen.keys.mac, FIRST_CHAINING, command, cryptogram);
    if (!equalTags(chaining.subarray(0, CHANNEL_MAC_LENGTH), data.subarray(CHALLENGE_LENGTH))) refuse(STATUS.CRYPTO);
    if (!equalTags(halfOpen.hostCryptogram, cryptogram)) refuse(STATUS.WRONG_CRYPTOGRAM);
    // Raised before the channel is open, so that no two channels ever have one counter.
    this.#memory.raiseCounter();
    this.#open = { keys: halfOpen.keys, level, chaining, counter: 0 };
  }

  /**
   * Takes the secure messaging off a command of CLA 84 (protocol 9.2).
   * @returns the command, of CLA 80, and its level.
   * @throws Refusal 6985 without a channel, 6988 after which the channel is closed.
   */
  unwrap(command: CommandApdu): UnwrappedCommand {
    const { ins, p1, p2, data = NO_DATA, le } = command;
    const open = this.#open;
    if (open === undefined) refuse(STATUS.NOT_NOW);
    const plain = openData(open, command, data);
    if (plain === undefined) {
      this.end();
      refuse(STATUS.CRYPTO);
    }
    return { command: { cla: CLA_PLAIN, ins, p1, p2, data: plain, le }, level: open.level };
  }

  /**
   * Puts secure messaging on the answer to a command that came through the channel. The answer of a command that ended
   * the channel is plain.
   * @param data 0 to 248 octets; none with an error.
   * @returns data and status word.
   */
  wrap(data: Uint8Array, status: number): Uint8Array {
    const open = this.#open;
    if (open === undefined || (open.level & R_MAC) === 0 || !hasAnswerMac(status)) return encodeResponse(data, status);
    return encodeResponse(concat(data, computeAnswerMac(open.keys.rmac, open.chaining, data, status)), status);
  }

  /** PUT KEY, inside the channel with C-ENC (protocol 9.3). @returns 10 octets. @throws Refusal */
  putKey(command: CommandApdu): Uint8Array {
    const { p1, p2, data = NO_DATA } = command;
    const { keys } = this.#memory;
    if (p2 !== PUT_KEY_P2) refuse(STATUS.WRONG_PARAMETERS);
    if (data.length !== PUT_KEY_LENGTH) refuse(STATUS.WRONG_LENGTH);
    if (p1 !== 0 && p1 !== keys.version) refuse(STATUS.UNKNOWN_KEY);
    const next = decodePutKey(data, keys.dek);
    if (next === undefined) refuse(STATUS.BAD_FIELD);
    this.#memory.replaceKeys(next);
    return encodePutKeyAnswer(next);
  }
}

/**
 * Takes the secure messaging off the data and moves the MAC chain on.
 * @returns nothing when C-MAC, length or padding is wrong.
 */
function openData(open: Open, command: CommandApdu, data: Uint8Array): Uint8Array | undefined {
  const end = data.length - CHANNEL_MAC_LENGTH;
  if (end < 0) return undefined;
  const sent = data.subarray(0, end);
  const chaining = chainCommand(open.keys.mac, open.chaining, command, sent);
  if (!equalTags(chaining.subarray(0, CHANNEL_MAC_LENGTH), data.subarray(end))) return undefined;
  open.chaining = chaining;
  open.counter++;
  return (open.level & C_ENC) !== 0 && sent.length > 0 ? decipher(open.keys.enc, open.counter, sent) : sent;
}
