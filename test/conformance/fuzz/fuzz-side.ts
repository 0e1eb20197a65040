import type { CardChannel } from '../../../apdu/card-channel.ts';
import { CLA_MODULE, INS } from '../../../apdu/decode-module/instruction.ts';
import { CardGoneError, TollcastError } from '../../../apdu/errors.ts';
import { encodeCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { toHex } from '../../../apdu/octets.ts';
import { encodePutKey, PUT_KEY_P2 } from '../../../apdu/secure-channel/put-key.ts';
import { openSecureChannel, type SecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import type { SecurityLevel } from '../../../apdu/secure-channel/security-level.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import type { Action, Cut, Inside } from './fuzz-actions.ts';
import { encodeAction } from './fuzz-commands.ts';
import { sealUnderOwn } from './fuzz-key-pairs.ts';

/** Always the same, so that both sides are asked the same. */
const HOST_CHALLENGE = new Uint8Array(8);
const GENERATE = { cla: CLA_MODULE, ins: INS.GENERATE_KEY_PAIR, p1: 0, p2: 0, le: 256 };

/** A card, and every octet that it says. */
export class Side {
  readonly #card: SimulatedCard;
  #channel: CardChannel | undefined;
  /** Of the card's own pair. */
  #point: Uint8Array | undefined;

  constructor(card: SimulatedCard) {
    this.#card = card;
  }

  async renew(): Promise<void> {
    await this.#card.erase();
    this.#point = undefined;
    this.#channel ??= await this.#card.channel();
  }

  /** The answers in hexadecimal, one for each command that was sent; `reset` or `cut` for the hand. */
  async act(what: Action, position: number): Promise<readonly string[]> {
    switch (what.do) {
      case 'reset':
        await this.#card.reset();
        return ['reset'];
      case 'cut before':
      case 'cut after':
        return [await this.#cut(what, position)];
      case 'store': {
        const commands = [encodeAction(what, position), ...(what.last ? [makeStatusCommand(0x03)] : [])];
        return this.#inside(commands, 0x13, 0);
      }
      case 'inside':
        return this.#inside([makeInsideCommand(what, position)], what.level, what.bits);
      case 'generate':
        return [await this.#generate()];
      case 'under own':
        return [toHex(await this.#channel!.transmit(encodeCommand(sealUnderOwn(what, this.#point))))];
      default:
        return [toHex(await this.#channel!.transmit(encodeAction(what, position)))];
    }
  }

  async #cut(what: Cut, position: number): Promise<string> {
    await this.#card.cut(what.do === 'cut before' ? 0 : 'afterLast');
    try {
      // An answer is a divergence: the other side has none.
      return toHex(await this.#channel!.transmit(encodeAction(what.what, position)));
    } catch (error) {
      if (!(error instanceof CardGoneError)) throw error;
    }
    await this.#channel!.close();
    await this.#card.insert();
    this.#channel = await this.#card.channel();
    return 'cut';
  }

  /** A new pair differs from card to card, and so does the MAC of the answer. @returns the status word. */
  async #generate(): Promise<string> {
    try {
      const secure = await openSecureChannel(this.#channel!, TEST_KEY_SET, { hostChallenge: HOST_CHALLENGE });
      const answer = await secure.transmit(encodeCommand(GENERATE));
      if (answer.length > 2) this.#point = answer.slice(0, -2);
      return toHex(answer.subarray(-2));
    } catch (error) {
      if (!(error instanceof TollcastError)) throw error;
      return error.code;
    }
  }

  /** Whatever the host side makes of the answers, it is the answers that count. */
  async #inside(commands: readonly Uint8Array[], level: SecurityLevel, bits: number): Promise<readonly string[]> {
    const answers: string[] = [];
    let opened = false;
    const wire: CardChannel = {
      atr: this.#channel!.atr,
      transmit: async (octets) => {
        const sent = octets.slice();
        if (opened) sent[5 + (bits % (sent.length - 6))]! ^= bits;
        const answer = await this.#channel!.transmit(sent);
        answers.push(toHex(answer));
        return answer;
      },
      close: async () => {},
    };
    try {
      const secure: SecureChannel = await openSecureChannel(wire, TEST_KEY_SET, {
        level,
        hostChallenge: HOST_CHALLENGE,
      });
      opened = true;
      for (const command of commands) await secure.transmit(command);
    } catch (error) {
      if (!(error instanceof TollcastError)) throw error;
      answers.push(error.code);
    }
    return answers;
  }

  async close(): Promise<void> {
    await this.#channel?.close();
    await this.#card.close();
  }
}

/** SET STATUS of the application. */
function makeStatusCommand(state: number): Uint8Array {
  return encodeCommand({ cla: CLA_MODULE, ins: INS.SET_STATUS, p1: 0x40, p2: state });
}

function makeInsideCommand({ what }: Inside, position: number): Uint8Array {
  if (what.do === 'status') return makeStatusCommand(what.state);
  if (what.do !== 'same keys') return encodeAction(what, position);
  const data = encodePutKey(TEST_KEY_SET, TEST_KEY_SET.dek);
  return encodeCommand({ cla: CLA_MODULE, ins: INS.PUT_KEY, p1: TEST_KEY_SET.version, p2: PUT_KEY_P2, data, le: 256 });
}
