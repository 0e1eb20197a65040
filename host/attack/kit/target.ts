import { randomBytes } from 'node:crypto';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { decodeCardId, encodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CLA_MODULE, INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { signLoadOrder } from '../../../apdu/decode-module/money/credit-load.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import {
  DGI,
  encodeCardKeys,
  encodeCardProfile,
  type CardKeySet,
} from '../../../apdu/decode-module/personalisation.ts';
import { hasCapability, type Capability, type SelectAnswer } from '../../../apdu/decode-module/select-answer.ts';
import { exchange } from '../../../apdu/iso7816/exchange.ts';
import type { ResponseApdu } from '../../../apdu/iso7816/response-apdu.ts';
import { concat, readUint, toHex } from '../../../apdu/octets.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { openChannel } from '../../issuer/cards/card-administration.ts';
import { AttackError } from './attack-error.ts';
import type { CardUnderTest } from './card-under-test.ts';
import type { KitFile } from './kit-file.ts';

/** A command of the decode module; P1 and P2 are 0 where they are left out. */
export interface ModuleCommand {
  readonly ins: number;
  readonly data: Uint8Array;
  readonly p1?: number;
  readonly p2?: number;
}

/** Issuer number of every card that the kit makes. */
const KIT_ISSUER = 0xa77ac4;
export const CURRENCY = 840;
/** Micro-units: 1,000 units. */
export const MAXIMUM_BALANCE = 1_000_000_000n;
/** Least micro-units that a card has when an attack begins. */
const WORKING_CREDIT = 200_000_000n;
/** Message numbers that one run may use. */
const NUMBERS_OF_RUN = 100_000;
const NO_DATA = new Uint8Array(0);

/** A card that the kit made, with all that its honest issuer knows of it. */
export class Target {
  readonly card: CardUnderTest;
  readonly cardId: Uint8Array;
  readonly keys: CardKeySet;
  readonly #installed: ChannelKeySet;
  readonly #capabilities: SelectAnswer;
  #channel: CardChannel;
  #number: number;

  private constructor(
    card: CardUnderTest,
    channel: CardChannel,
    answer: SelectAnswer,
    kit: KitFile,
    installed: ChannelKeySet,
  ) {
    const { keys, runs } = kit.startRun(answer.cardId);
    this.card = card;
    this.cardId = answer.cardId;
    this.keys = keys;
    this.#installed = installed;
    this.#capabilities = answer;
    this.#channel = channel;
    this.#number = 100 + runs * NUMBERS_OF_RUN;
  }

  /**
   * Personalises a blank card, or takes one that the kit made before.
   * @param installed key set of its secure channel; it is not changed.
   * @throws AttackError `NOT_OURS` when the card belongs to somebody; nothing was done to it then.
   */
  static async prepare(card: CardUnderTest, kit: KitFile, installed: ChannelKeySet): Promise<Target> {
    const channel = await card.open();
    try {
      const module = new DecodeModule(channel);
      const found = await module.select();
      if (found.life !== 'blank' && !kit.has(found.cardId)) throw refuseForeignCard(found);
      if (found.life === 'blocked' || found.life === 'terminated') throw refuseForeignCard(found);
      if (found.life !== 'active') await personalise(channel, found, kit, installed, card.moduleClass);
      return new Target(card, channel, await module.select(), kit, installed);
    } catch (error) {
      await channel.close();
      throw error;
    }
  }

  get module(): DecodeModule {
    return new DecodeModule(this.#channel);
  }

  get serial(): number {
    return decodeCardId(this.cardId).serial;
  }

  can(capability: Capability): boolean {
    return hasCapability(this.#capabilities, capability);
  }

  /** Returns the number of the next message under the unique key. */
  nextNumber(): number {
    return this.#number++;
  }

  async send({ ins, data, p1 = 0, p2 = 0 }: ModuleCommand): Promise<ResponseApdu> {
    const { data: answer, status } = await exchange(this.#channel, { cla: CLA_MODULE, ins, p1, p2, data, le: 256 });
    return { data: answer.slice(), status };
  }

  /** Sends one command APDU as it is. */
  transmit(octets: Uint8Array): Promise<Uint8Array> {
    return this.#channel.transmit(octets);
  }

  /** Sends an honest command, which a working card carries out. @throws AttackError `CONTROL` when it does not. */
  async mustSucceed(what: string, command: ModuleCommand): Promise<Uint8Array> {
    const { data, status } = await this.send(command);
    if (status !== STATUS.DONE) {
      throw new AttackError(
        'CONTROL',
        `the card refused ${what} (${status.toString(16).toUpperCase()}), which is honest: nothing can be said of it; ` +
          'check it against the conformance vectors first',
      );
    }
    return data;
  }

  /** Reads purse and key list, in hexadecimal. */
  async readState(): Promise<string> {
    const purse = await this.send({ ins: INS.GET_PURSE, data: NO_DATA });
    const keys = await this.send({ ins: INS.LIST_KEYS, data: NO_DATA });
    return toHex(concat(purse.data, keys.data));
  }

  readPurse(): Promise<PurseStatus> {
    return this.module.getPurse();
  }

  /** Turns the power off and on, and selects the module. */
  async reset(): Promise<void> {
    await this.#channel.close();
    this.#channel = await this.card.open();
    await this.module.select();
  }

  /**
   * Opens the secure channel; it lasts until the next SELECT or reset.
   * @param through wraps the channel below, to see what goes over the line.
   */
  async administer(through: (channel: CardChannel) => CardChannel = (channel) => channel): Promise<DecodeModule> {
    return new DecodeModule((await openChannel(through(this.#channel), [this.#installed])).secure);
  }

  /** Signs a load order (S2) with the number after the card's last. */
  async signLoadOrder(amount: bigint, change: Partial<Parameters<typeof signLoadOrder>[0]> = {}): Promise<Uint8Array> {
    const number = (await this.readPurse()).loadNumber + 1;
    const order = { cardId: this.cardId, number, currency: CURRENCY, amount, loadId: randomBytes(8), ...change };
    return signLoadOrder(order, this.keys['load-in']);
  }

  signAcknowledgement(upTo: number): Uint8Array {
    return signAcknowledgement(this.cardId, upTo, this.keys.acknowledgement);
  }

  /** Closes the session, deletes lasting keys, acknowledges receipts and loads credit. */
  async makeReady(): Promise<void> {
    const { module } = this;
    await module.closeSession();
    for (const { kind, parentKind, service, keyId } of await module.listKeys()) {
      const lasting = parentKind === KIND.unique || kind === KIND.node;
      if (lasting) await module.deleteKey(kind, service, keyId);
    }
    await this.acknowledgeReceipts();
    const { available } = await module.getPurse();
    if (available < WORKING_CREDIT) {
      const order = await this.signLoadOrder(MAXIMUM_BALANCE / 2n - available);
      await this.mustSucceed('LOAD CREDIT', { ins: INS.LOAD_CREDIT, data: order });
    }
  }

  /** Acknowledges all receipts of the card. */
  async acknowledgeReceipts(): Promise<void> {
    const { receiptsWritten, receiptsDue } = await this.readPurse();
    const data = this.signAcknowledgement(receiptsWritten);
    if (receiptsDue > 0) await this.mustSucceed('ACKNOWLEDGE RECEIPTS', { ins: INS.ACKNOWLEDGE_RECEIPTS, data });
  }

  async close(): Promise<void> {
    await this.#channel.close();
  }
}

function refuseForeignCard({ cardId, life }: SelectAnswer): AttackError {
  return new AttackError(
    'NOT_OURS',
    `card ${formatCardId(cardId)} is ${life}, and not one that this kit made: an attack could spend what is on it; ` +
      'insert a blank card, name the kit file it was made with (--kit), or try a simulated card (--card soft)',
  );
}

async function personalise(
  channel: CardChannel,
  found: SelectAnswer,
  kit: KitFile,
  installed: ChannelKeySet,
  moduleClass: 'card' | 'soft',
): Promise<void> {
  const { secure } = await openChannel(channel, [installed]);
  const module = new DecodeModule(secure);
  if (found.life === 'blank') {
    const cardId = encodeCardId({ issuer: KIT_ISSUER, moduleClass, serial: readUint(randomBytes(4), 0, 4) });
    kit.add(cardId);
    const money = { currency: CURRENCY, maximumBalance: MAXIMUM_BALANCE, maximumUnacknowledged: MAXIMUM_BALANCE };
    await module.storeData(DGI.profile, encodeCardProfile({ cardId, ...money }), false);
    await module.storeData(DGI.keys, encodeCardKeys(kit.startRun(cardId).keys), true);
  }
  await module.setStatus('active');
}
