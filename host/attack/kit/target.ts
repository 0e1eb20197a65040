import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { randomBytes } from 'node:crypto';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { signAcknowledgement } from '../../../apdu/decode-module/money/acknowledgement.ts';
import { decodeCardId, encodeCardId, formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { signLoadOrder } from '../../../apdu/decode-module/money/credit-load.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CLA_MODULE, INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import {
  DGI,
  encodeCardKeys,
  encodeCardProfile,
  type CardKeySet,
} from '../../../apdu/decode-module/personalisation.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import { hasCapability, type Capability, type SelectAnswer } from '../../../apdu/decode-module/select-answer.ts';
import { exchange } from '../../../apdu/iso7816/exchange.ts';
import type { ResponseApdu } from '../../../apdu/iso7816/response-apdu.ts';
import { concat, readUint, toHex } from '../../../apdu/octets.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { openChannel } from '../../issuer/cards/card-administration.ts';
import { AttackError } from './attack-error.ts';
import type { KitFile } from './kit-file.ts';
import type { CardUnderTest } from './card-under-test.ts';

/** A command of the module, P1 P2 0000 unless told. */
export interface ModuleCommand {
  readonly ins: number;
  readonly data: Uint8Array;
  readonly p1?: number;
  readonly p2?: number;
}

/** Issuer number of every card of the kit. */
const KIT_ISSUER = 0xa77ac4;
export const CURRENCY = 840;
/** 1,000 units. */
export const MAXIMUM_BALANCE = 1_000_000_000n;
/** An attack begins with this much at least. */
const WORKING_CREDIT = 200_000_000n;
/** Message numbers of one run. */
const NUMBERS_OF_RUN = 100_000;
const NO_DATA = new Uint8Array(0);

/** A card of the kit's own, with everything that its honest issuer knows of it. */
export class Target {
  readonly card: CardUnderTest;
  readonly cardId: Uint8Array;
  readonly keys: CardKeySet;
  readonly #installed: ChannelKeySet;
  readonly #capabilities: SelectAnswer;
  #channel: CardChannel;
  #number: number;

  private constructor(
    seat: CardUnderTest,
    channel: CardChannel,
    answer: SelectAnswer,
    kit: KitFile,
    installed: ChannelKeySet,
  ) {
    const { keys, runs } = kit.startRun(answer.cardId);
    this.card = seat;
    this.cardId = answer.cardId;
    this.keys = keys;
    this.#installed = installed;
    this.#capabilities = answer;
    this.#channel = channel;
    this.#number = 100 + runs * NUMBERS_OF_RUN;
  }

  /**
   * Takes a blank card, or one that the kit made, and makes it ready.
   * @param installed key set of its secure channel, which stays as it is.
   * @throws AttackError `NOT_OURS`: the card is somebody's, and nothing was done to it.
   */
  static async prepare(seat: CardUnderTest, kit: KitFile, installed: ChannelKeySet): Promise<Target> {
    const channel = await seat.open();
    try {
      const module = new DecodeModule(channel);
      const found = await module.select();
      if (found.life !== 'blank' && !kit.has(found.cardId)) throw refuseForeignCard(found);
      if (found.life === 'blocked' || found.life === 'terminated') throw refuseForeignCard(found);
      if (found.life !== 'active') await personalise(channel, found, kit, installed, seat.moduleClass);
      return new Target(seat, channel, await module.select(), kit, installed);
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

  /** Of a message under the unique key, one above the last. */
  nextNumber(): number {
    return this.#number++;
  }

  async send({ ins, data, p1 = 0, p2 = 0 }: ModuleCommand): Promise<ResponseApdu> {
    const { data: answer, status } = await exchange(this.#channel, { cla: CLA_MODULE, ins, p1, p2, data, le: 256 });
    return { data: answer.slice(), status };
  }

  /** One command APDU as it stands. */
  transmit(octets: Uint8Array): Promise<Uint8Array> {
    return this.#channel.transmit(octets);
  }

  /** What is honest, and must work. @throws AttackError `CONTROL`. */
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

  /** Purse and keys as the card tells them, octet for octet. */
  async readState(): Promise<string> {
    const purse = await this.send({ ins: INS.GET_PURSE, data: NO_DATA });
    const keys = await this.send({ ins: INS.LIST_KEYS, data: NO_DATA });
    return toHex(concat(purse.data, keys.data));
  }

  readPurse(): Promise<PurseStatus> {
    return this.module.purse();
  }

  /** Power off and on, and SELECT. */
  async reset(): Promise<void> {
    await this.#channel.close();
    this.#channel = await this.card.open();
    await this.module.select();
  }

  /** A module inside the secure channel; it lasts to the next SELECT or reset. @param through sees what goes over the line. */
  async administer(through: (channel: CardChannel) => CardChannel = (channel) => channel): Promise<DecodeModule> {
    return new DecodeModule((await openChannel(through(this.#channel), [this.#installed])).secure);
  }

  /** S2 for the number after the card's last. */
  async signLoadOrder(amount: bigint, change: Partial<Parameters<typeof signLoadOrder>[0]> = {}): Promise<Uint8Array> {
    const number = (await this.readPurse()).loadNumber + 1;
    const order = { cardId: this.cardId, number, currency: CURRENCY, amount, loadId: randomBytes(8), ...change };
    return signLoadOrder(order, this.keys['load-in']);
  }

  signAcknowledgement(upTo: number): Uint8Array {
    return signAcknowledgement(this.cardId, upTo, this.keys.acknowledgement);
  }

  /** No session, no key, no receipt due, and credit to work with. */
  async makeReady(): Promise<void> {
    const { module } = this;
    await module.closeSession();
    for (const { kind, parentKind, service, id } of await module.listKeys()) {
      const lasting = parentKind === KIND.unique || kind === KIND.node;
      if (lasting) await module.deleteKey(kind, service, id);
    }
    await this.acknowledgeReceipts();
    const { available } = await module.purse();
    if (available < WORKING_CREDIT) {
      const order = await this.signLoadOrder(MAXIMUM_BALANCE / 2n - available);
      await this.mustSucceed('LOAD CREDIT', { ins: INS.LOAD_CREDIT, data: order });
    }
  }

  /** The issuer has all receipts. */
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
    const money = { currency: CURRENCY, maximumBalance: MAXIMUM_BALANCE, mostUnacknowledged: MAXIMUM_BALANCE };
    await module.storeData(DGI.profile, encodeCardProfile({ cardId, ...money }), false);
    await module.storeData(DGI.keys, encodeCardKeys(kit.startRun(cardId).keys), true);
  }
  await module.setStatus('active');
}
