import { randomBytes } from '@noble/ciphers/utils.js';
import type { CardChannel } from '../card-channel.ts';
import { FormatError, OutOfRangeError } from '../errors.ts';
import { type CommandApdu, encodeCommand, parseCommand } from '../iso7816/command-apdu.ts';
import { encodeResponse, parseResponse, type ResponseApdu } from '../iso7816/response-apdu.ts';
import { assertStatusOk } from '../iso7816/status-word.ts';
import { equalTags, readUint, toHex } from '../octets.ts';
import {
  deriveCardCryptogram,
  CHALLENGE_LENGTH,
  type ChannelKeySet,
  requireKeySet,
  deriveSessionKeys,
  deriveHostCryptogram,
} from './scp03-keys.ts';
import { Scp03Session } from './scp03-session.ts';
import { SecureChannelError } from './secure-channel-error.ts';
import { CHANNEL_INS, CLA_PLAIN, R_MAC, type SecurityLevel } from './security-level.ts';

export interface SecureChannelOptions {
  /** 13 if left out: C-MAC, C-ENC and R-MAC. */
  readonly level?: SecurityLevel;
  /** 8 octets; random if left out. Only tests name it. */
  readonly hostChallenge?: Uint8Array;
}

/** Answer to INITIALIZE UPDATE in S8 mode with a pseudo-random challenge; Amendment D 7.1.1. */
interface InitializeAnswer {
  /** Key diversification data, 10 octets: the card id and zeros. */
  readonly diversification: Uint8Array;
  readonly version: number;
  readonly cardChallenge: Uint8Array;
  readonly cryptogram: Uint8Array;
  readonly sequenceCounter: number;
}

const INITIALIZE_ANSWER_LENGTH = 32;
const SCP03 = 0x03;
/** Bit of the parameter `i` that says that the card gives R-MAC. */
const I_R_MAC = 0x20;
const CLA_ISO = 0x00;
const SELECT = 0xa4;
const LE_ALL = 256;
const SW_AUTHENTICATION_FAILED = 0x6300;
const SW_MAC_WRONG = 0x6988;
const SW_NO_KEY_SET = 0x6a88;

/**
 * Opens an SCP03 channel to the selected application: GlobalPlatform Amendment D, AES-128, S8 mode.
 *
 * @param channel to the card; nobody else may use it while the secure channel is in use.
 * @param keys the key set of this card.
 * @throws SecureChannelError `WRONG_KEYS`, `NO_KEY_SET` or `NO_SCP03`.
 * @throws StatusWordError for any other refusal of the card.
 * @throws FormatError when the card's answer cannot be read.
 * @throws OutOfRangeError when the key set or the challenge does not fit.
 */
export async function openSecureChannel(
  channel: CardChannel,
  keys: ChannelKeySet,
  options: SecureChannelOptions = {},
): Promise<SecureChannel> {
  const { level = 0x13, hostChallenge = randomBytes(CHALLENGE_LENGTH) } = options;
  requireKeySet(keys);
  if (hostChallenge.length !== CHALLENGE_LENGTH) {
    throw new OutOfRangeError(`a host challenge has ${CHALLENGE_LENGTH} octets, not ${hostChallenge.length}`);
  }
  const answer = await initialize(channel, keys.version, hostChallenge, level);
  const sessionKeys = deriveSessionKeys(keys, hostChallenge, answer.cardChallenge);
  if (!equalTags(deriveCardCryptogram(sessionKeys, hostChallenge, answer.cardChallenge), answer.cryptogram)) {
    throw wrongKeys(keys.version);
  }
  const session = new Scp03Session(sessionKeys, level);
  const host = deriveHostCryptogram(sessionKeys, hostChallenge, answer.cardChallenge);
  const { status } = await send(channel, session.sealAuthentication(host));
  if (status === SW_AUTHENTICATION_FAILED || status === SW_MAC_WRONG) throw wrongKeys(keys.version);
  assertStatusOk(status, 'EXTERNAL AUTHENTICATE');
  return new SecureChannel(channel, session, answer);
}

async function initialize(
  channel: CardChannel,
  version: number,
  hostChallenge: Uint8Array,
  level: SecurityLevel,
): Promise<InitializeAnswer> {
  const command = { cla: CLA_PLAIN, ins: CHANNEL_INS.INITIALIZE_UPDATE, p1: version, p2: 0 };
  const { data, status } = await send(channel, { ...command, data: hostChallenge, le: LE_ALL });
  if (status === SW_NO_KEY_SET) {
    throw new SecureChannelError(
      'NO_KEY_SET',
      `the card holds no key set of version ${version}; it was replaced, or this is another card: use its present one`,
    );
  }
  assertStatusOk(status, 'INITIALIZE UPDATE');
  return parseInitializeAnswer(data, version, level);
}

function parseInitializeAnswer(data: Uint8Array, version: number, level: SecurityLevel): InitializeAnswer {
  if (data.length >= 13 && data[11] !== SCP03) {
    throw new SecureChannelError(
      'NO_SCP03',
      `the card speaks SCP${toHex(data.subarray(11, 12))}, not SCP03; check that it is the card you meant`,
    );
  }
  if (data.length !== INITIALIZE_ANSWER_LENGTH || data[10] !== version) {
    throw new FormatError(
      `these ${data.length} octets are not an answer to INITIALIZE UPDATE for version ${version}, which has ` +
        `${INITIALIZE_ANSWER_LENGTH} in S8 mode with a pseudo-random challenge; check that it is the card you meant`,
    );
  }
  if ((level & R_MAC) !== 0 && (data[12]! & I_R_MAC) === 0) {
    throw new SecureChannelError('NO_SCP03', 'the card gives no R-MAC; open the channel at level 01 or 03');
  }
  return {
    diversification: data.slice(0, 10),
    version,
    cardChallenge: data.slice(13, 21),
    cryptogram: data.slice(21, 29),
    sequenceCounter: readUint(data, 29, 3),
  };
}

function wrongKeys(version: number): SecureChannelError {
  return new SecureChannelError(
    'WRONG_KEYS',
    `this card does not hold these keys of version ${version}; check that it is the card you meant, and that the ` +
      'keys are those of its last PUT KEY, or of its installation if there was no PUT KEY',
  );
}

async function send(channel: CardChannel, command: CommandApdu): Promise<ResponseApdu> {
  return parseResponse(await channel.transmit(encodeCommand(command)));
}

/**
 * A card behind an open SCP03 channel. Plain commands of class 80 go in, checked and plain answers come out. Of other
 * commands only SELECT travels, as their answers would not be authentic. A SELECT, a wrong R-MAC or the loss of the
 * card ends the channel; then it is opened again on the channel below.
 */
export class SecureChannel implements CardChannel {
  readonly #channel: CardChannel;
  readonly #session: Scp03Session;
  readonly #answer: InitializeAnswer;
  #ended = false;

  /** Made by {@link openSecureChannel}. */
  constructor(channel: CardChannel, session: Scp03Session, answer: InitializeAnswer) {
    this.#channel = channel;
    this.#session = session;
    this.#answer = answer;
  }

  get atr(): Uint8Array {
    return this.#channel.atr;
  }

  get level(): SecurityLevel {
    return this.#session.level;
  }

  /** Version of the key set it was opened with. */
  get keyVersion(): number {
    return this.#answer.version;
  }

  /** Key diversification data, 10 octets: the card id, zeros on a blank card, and 0000. */
  get diversification(): Uint8Array {
    return this.#answer.diversification;
  }

  /** As it stood when the channel was opened, 0 to FFFFFE. */
  get sequenceCounter(): number {
    return this.#answer.sequenceCounter;
  }

  /**
   * @param octets one command APDU, plain.
   * @throws SecureChannelError `CHANNEL_ENDED`, or `FORGED_ANSWER` which ends it.
   * @throws OutOfRangeError for a command that is too long for the channel.
   */
  async transmit(octets: Uint8Array): Promise<Uint8Array> {
    if (this.#ended) {
      throw new SecureChannelError('CHANNEL_ENDED', 'the secure channel has ended; open it again');
    }
    const plain = parseCommand(octets);
    if (plain.cla === CLA_ISO && plain.ins === SELECT) {
      this.#ended = true;
      return this.#channel.transmit(octets);
    }
    // The command is wrapped before anything is awaited, so that the chain has the order of the calls.
    const { command, chaining } = this.#session.wrap(plain);
    try {
      const { data, status } = this.#session.unwrap(await send(this.#channel, command), chaining);
      return encodeResponse(data, status);
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#channel.close();
  }
}
