import type { CardChannel } from '../../../apdu/card-channel.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { type CommandApdu, parseCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { encodeResponse } from '../../../apdu/iso7816/response-apdu.ts';
import { fromHex } from '../../../apdu/octets.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { C_ENC, CHANNEL_INS, CLA_PLAIN, CLA_SECURE } from '../../../apdu/secure-channel/security-level.ts';
import { Refusal } from '../../../card-sim/soft/refusal.ts';
import { CardSecureChannel, type ChannelMemory } from '../../../card-sim/soft/secure-channel.ts';

export const ECHO = 0x10;
export const WARN = 0x12;
export const FAIL = 0x14;
/** Answers with one octet: the level of the command, 0 for a plain one. */
export const LEVEL = 0x16;

const NO_DATA = new Uint8Array(0);

/** A card of the secure channel and a few commands; it takes what it is sent as the vectors say. */
export class ChannelCard implements CardChannel, ChannelMemory {
  readonly atr = NO_DATA;
  readonly cardId = fromHex('0A1B2C0100000007');
  keys: ChannelKeySet;
  counter = 0;
  alive = true;
  /** Every command and answer, as they travelled. */
  readonly sent: Uint8Array[] = [];
  readonly answered: Uint8Array[] = [];
  /** Stands between host and card. */
  onCommand = (command: Uint8Array) => command;
  onAnswer = (answer: Uint8Array) => answer;
  #channel = new CardSecureChannel(this);

  constructor(keys: ChannelKeySet) {
    this.keys = keys;
  }

  raiseCounter(): void {
    this.counter++;
  }

  replaceKeys(keys: ChannelKeySet): void {
    this.keys = keys;
  }

  reset(): void {
    this.#channel = new CardSecureChannel(this);
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    const arrived = this.onCommand(command.slice());
    this.sent.push(arrived);
    const answer = this.answer(parseCommand(arrived));
    this.answered.push(answer);
    return Promise.resolve(this.onAnswer(answer.slice()));
  }

  answer(command: CommandApdu): Uint8Array {
    const { cla, ins } = command;
    if (cla === 0x00 && ins === 0xa4) {
      this.#channel.end();
      return encodeResponse(NO_DATA, STATUS.DONE);
    }
    if (cla === CLA_PLAIN) return answerWith(() => this.#run(command, 0), encodeResponse);
    if (cla !== CLA_SECURE) return encodeResponse(NO_DATA, STATUS.UNKNOWN_CLASS);
    if (ins === CHANNEL_INS.EXTERNAL_AUTHENTICATE) {
      return answerWith(() => {
        this.#channel.externalAuthenticate(command);
        return [NO_DATA, STATUS.DONE];
      }, encodeResponse);
    }
    return answerWith(
      () => {
        const unwrapped = this.#channel.unwrap(command);
        return this.#run(unwrapped.command, unwrapped.level);
      },
      (data, status) => this.#channel.wrap(data, status),
    );
  }

  #run(command: CommandApdu, level: number): [data: Uint8Array, status: number] {
    const { ins, data = NO_DATA } = command;
    switch (ins) {
      case CHANNEL_INS.INITIALIZE_UPDATE:
        return [this.#channel.initializeUpdate(command, this.alive), STATUS.DONE];
      case CHANNEL_INS.PUT_KEY:
        if ((level & C_ENC) === 0) return [NO_DATA, STATUS.SECURITY];
        return [this.#channel.putKey(command), STATUS.DONE];
      case ECHO:
        return [data, STATUS.DONE];
      case WARN:
        return [data, 0x63c2];
      case FAIL:
        return [NO_DATA, STATUS.BAD_FIELD];
      case LEVEL:
        return [Uint8Array.of(level), STATUS.DONE];
      default:
        return [NO_DATA, STATUS.UNKNOWN_INSTRUCTION];
    }
  }

  async close(): Promise<void> {}
}

/** Encodes what a command answers, or the status word that refuses it. */
function answerWith(
  run: () => [data: Uint8Array, status: number],
  encode: (data: Uint8Array, status: number) => Uint8Array,
): Uint8Array {
  try {
    return encode(...run());
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return encode(NO_DATA, error.status);
  }
}
