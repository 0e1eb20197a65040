import type { CbcFactory } from '../../apdu/decode-module/keys/aes-cbc.ts';
import { CardGoneError } from '../../apdu/errors.ts';
import { fromHex } from '../../apdu/octets.ts';
import type { ChannelKeySet } from '../../apdu/secure-channel/scp03-keys.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import { answerCommand } from './answer-command.ts';
import { type CommandLimits, deriveCommandLimits } from './command-limits.ts';
import { blankImage } from './memory/card-image.ts';
import { type CardStore, type CutPoint, type Eeprom, PowerCut } from './memory/eeprom.ts';
import { openEeprom, openImage } from './memory/open-eeprom.ts';
import { PersistentState } from './memory/persistent-state.ts';
import { TransientState } from './memory/transient-state.ts';
import { CardSecureChannel } from './secure-channel.ts';

/** What a card has done since its start. */
export interface CardCounts {
  /** Command APDUs, refused ones too. */
  readonly commands: number;
  /** Atomic writes to persistent memory. */
  readonly persistentWrites: number;
}

/** Answer to reset: T=1, no historical octets. */
const ATR = fromHex('3B80800101');

/** The decode module in TypeScript, which answers octet by octet as `firmware-notes/protocol.md` says. */
export class SoftCard {
  readonly #eeprom: Eeprom;
  readonly #installed: ChannelKeySet;
  readonly #makeCipher: CbcFactory | undefined;
  readonly #limits: CommandLimits;
  #persistent: PersistentState;
  /** Nothing while the power is off. */
  #transient: TransientState | undefined;
  #commands = 0;
  #cut: CutPoint | undefined;

  /**
   * @param store keeps the card; without it the card is gone with this object.
   * @param installed first key set of the secure channel; it counts for a new card only.
   * @param apduBuffer length of the APDU buffer of the card that it stands for, 133 to 261 octets.
   * @param makeCipher makes the ciphers that open packets; JavaScript does it when left out.
   * @throws FormatError when the store holds something that is not a card of this version.
   * @throws OutOfRangeError for another length of the buffer.
   */
  constructor(
    store?: CardStore,
    installed: ChannelKeySet = TEST_KEY_SET,
    apduBuffer?: number,
    makeCipher?: CbcFactory,
  ) {
    this.#makeCipher = makeCipher;
    this.#installed = installed;
    this.#limits = deriveCommandLimits(apduBuffer);
    this.#eeprom = openEeprom(installed, store);
    this.#persistent = new PersistentState(this.#eeprom);
  }

  /** Switches the card on, or resets it: RAM is cleared. @returns the answer to reset. */
  powerOn(): Uint8Array {
    this.#persistent = new PersistentState(this.#eeprom);
    const { purse, channel } = this.#persistent;
    this.#transient = new TransientState(
      purse.record.marks,
      new CardSecureChannel(channel),
      this.#limits,
      this.#makeCipher,
    );
    return ATR.slice();
  }

  powerOff(): void {
    this.#transient = undefined;
  }

  /** A copy of all that the card keeps without power. */
  get memory(): Uint8Array {
    return this.#eeprom.image.slice();
  }

  /**
   * Puts another memory in the place of the card's, as the owner of a soft card can. A card that has power is reset.
   * @param image what `memory` gave, of this card or of another.
   * @throws FormatError when it is not a memory of this version.
   */
  restore(image: Uint8Array): void {
    const memory = openImage(image);
    const powered = this.#transient !== undefined;
    this.#eeprom.write({ at: 0, octets: memory });
    this.powerOn();
    if (!powered) this.powerOff();
  }

  /** Makes it a new card: what it kept is gone. A card that has power is reset. */
  erase(): void {
    this.restore(blankImage(this.#installed));
  }

  get counts(): CardCounts {
    return { commands: this.#commands, persistentWrites: this.#eeprom.writes };
  }

  /** Lets the power fail in the next command: after so many writes, or after its last one and before the answer. */
  cut(point: CutPoint): void {
    this.#cut = point;
  }

  /**
   * Waits until what the last command wrote survives a power cut; nothing is to be waited for where it does already. Its
   * answer is to go out only then.
   * @throws TransportError when it cannot be known that it will.
   */
  sync(): Promise<void> | undefined {
    return this.#eeprom.sync();
  }

  /**
   * Runs one command.
   * @param command 0 to 65,544 octets.
   * @returns data and status word.
   * @throws CardGoneError when the power is off, or fails in this command.
   */
  transmit(command: Uint8Array): Uint8Array {
    const transient = this.#transient;
    if (transient === undefined) throw new CardGoneError();
    this.#commands++;
    const cut = this.#cut;
    this.#cut = undefined;
    try {
      this.#eeprom.beginCommand(cut);
      const answer = answerCommand(this.#persistent, transient, command);
      this.#eeprom.endCommand();
      return answer;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.powerOff();
      throw new CardGoneError(undefined, { cause: error });
    }
  }
}
