import { expect } from 'vitest';
import type { CardChannel } from '../../apdu/card-channel.ts';
import { CLA_ISO, CLA_MODULE, INS, STORE_LAST, STORE_MORE } from '../../apdu/decode-module/instruction.ts';
import { parseKeyList } from '../../apdu/decode-module/keys/key-list.ts';
import { isPersonal } from '../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { type LogRecord, parseLogRecord } from '../../apdu/decode-module/money/log-record.ts';
import { parsePurseStatus, type PurseStatus } from '../../apdu/decode-module/money/purse-status.ts';
import { openReceipt, type Receipt } from '../../apdu/decode-module/money/receipt.ts';
import { LIFE, MODULE_AID } from '../../apdu/decode-module/select-answer.ts';
import { CardGoneError } from '../../apdu/errors.ts';
import { type CommandApdu, encodeCommand } from '../../apdu/iso7816/command-apdu.ts';
import { parseResponse } from '../../apdu/iso7816/response-apdu.ts';
import { formatStatus } from '../../apdu/iso7816/status-word.ts';
import { concat, toHex, writeUint } from '../../apdu/octets.ts';
import type { ChannelKeySet } from '../../apdu/secure-channel/scp03-keys.ts';
import { openSecureChannel, type SecureChannel } from '../../apdu/secure-channel/secure-channel.ts';
import type { SecurityLevel } from '../../apdu/secure-channel/security-level.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import type { SimulatedCard } from '../../card-sim/index.ts';
import {
  CARD_KEYS,
  sealContent,
  KEYS,
  signOrder,
  PROFILE,
  sealSegment,
  SERVICE,
  sealService,
} from './messages/messages.ts';

/**
 * What happened to a card: a command and its answer, or the reader's hand. After `cut before` or `cut after` the next
 * command gets no answer, and the card is in and powered again.
 */
export type Step = readonly [command: string, answer: string | null] | 'reset' | 'cut before' | 'cut after';

/** What a card has gone through before a case begins. */
export type Beginning = 'blank' | 'active' | 'playing';

/** Tries one rule of the page. */
export interface Case {
  readonly name: string;
  readonly from: Beginning;
  /** It needs commands of over 127 octets of data, or names what follows from a longer APDU buffer than 133 octets. */
  readonly long?: boolean;
  /**
   * Some of its answers are the platform's own: before the module is selected, on another logical channel, or to what
   * does not agree with its own Lc. Other platforms may answer otherwise there.
   */
  readonly platform?: boolean;
  readonly run: (tester: Tester) => Promise<void>;
}

export const BEGINNING_NAMES: readonly Beginning[] = ['blank', 'active', 'playing'];
/** Always the same, so that every octet is. */
const HOST_CHALLENGE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

export function encodeU32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  writeUint(octets, 0, 4, value);
  return octets;
}

/** Talks to a card in the terms of the page, expects status words, and writes down every octet. */
export class Tester {
  /** Since the case began. */
  steps: Step[] = [];
  /** On which all commands of the case are sent, 0 to 3: bits 1 and 0 of their CLA. */
  logicalChannel = 0;
  readonly #card: SimulatedCard;
  #channel: CardChannel | undefined;
  /** Open until the next SELECT, reset or cut. */
  #secure: SecureChannel | undefined;

  constructor(card: SimulatedCard) {
    this.#card = card;
  }

  /** A blank card, and what is to come before the case. @returns the steps of that. */
  async begin(from: Beginning): Promise<readonly Step[]> {
    await this.#card.erase();
    this.#secure = undefined;
    this.#channel ??= await this.#card.channel();
    this.logicalChannel = 0;
    this.steps = [];
    await BEGINNINGS[from](this);
    const { steps } = this;
    this.steps = [];
    return steps;
  }

  async close(): Promise<void> {
    await this.#channel?.close();
  }

  /** Any octets. @returns data of the answer. */
  async raw(octets: Uint8Array, status: number): Promise<Uint8Array> {
    const answer = await this.#transmit(octets);
    const response = parseResponse(answer);
    const sent = toHex(octets.subarray(0, 40));
    expect({ sent, status: formatStatus(response.status) }).toEqual({ sent, status: formatStatus(status) });
    return response.data.slice();
  }

  async #transmit(command: Uint8Array): Promise<Uint8Array> {
    const octets = command.slice();
    if (octets.length > 0) octets[0]! |= this.logicalChannel;
    const answer = await this.#channel!.transmit(octets);
    this.steps.push([toHex(octets), toHex(answer)]);
    return answer;
  }

  /** Opens the secure channel; it lasts to the next SELECT, reset or cut. */
  async secure(level: SecurityLevel = 0x13, keys: ChannelKeySet = TEST_KEY_SET): Promise<SecureChannel> {
    const below: CardChannel = {
      atr: this.#channel!.atr,
      transmit: (octets) => this.#transmit(octets),
      close: async () => {},
    };
    this.#secure = await openSecureChannel(below, keys, { level, hostChallenge: HOST_CHALLENGE });
    return this.#secure;
  }

  /** A command of the module inside the channel, which is opened if it is not. */
  async inside(
    ins: number,
    p1: number,
    p2: number,
    data: Uint8Array,
    status: number = STATUS.DONE,
  ): Promise<Uint8Array> {
    const channel = this.#secure ?? (await this.secure());
    const command = { cla: CLA_MODULE, ins, p1, p2, data, le: 256 };
    const answer = parseResponse(await channel.transmit(encodeCommand(command)));
    expect({ ins, status: answer.status.toString(16) }).toEqual({ ins, status: status.toString(16) });
    return answer.data.slice();
  }

  async command(command: CommandApdu, status: number = STATUS.DONE): Promise<Uint8Array> {
    return this.raw(encodeCommand(command), status);
  }

  /** A command of the module: CLA 80, P1 P2 0000, Le 00. */
  async send(ins: number, data: Uint8Array = new Uint8Array(0), status: number = STATUS.DONE): Promise<Uint8Array> {
    return this.command({ cla: CLA_MODULE, ins, p1: 0, p2: 0, data, le: 256 }, status);
  }

  async select(): Promise<Uint8Array> {
    this.#secure = undefined;
    return this.command({ cla: CLA_ISO, ins: INS.SELECT, p1: 4, p2: 0, data: MODULE_AID, le: 256 });
  }

  async storeData(dgi: number, value: Uint8Array, last: boolean, status: number = STATUS.DONE): Promise<void> {
    const data = concat(Uint8Array.of(dgi >>> 8, dgi, value.length), value);
    const p1 = last ? STORE_LAST : STORE_MORE;
    await this.inside(INS.STORE_DATA, p1, 0, data, status);
  }

  /** The last DGI of a blank card, and SET STATUS. */
  async activate(dgi: number, value: Uint8Array): Promise<void> {
    await this.storeData(dgi, value, true);
    await this.setStatus(LIFE.active);
  }

  async setStatus(state: number, status: number = STATUS.DONE): Promise<void> {
    await this.inside(INS.SET_STATUS, 0x40, state, new Uint8Array(0), status);
  }

  async open(service: number = SERVICE, status: number = STATUS.DONE): Promise<void> {
    await this.send(INS.OPEN_SESSION, encodeU32(service), status);
  }

  /** The receipt that CLOSE answers, its tag checked. */
  async closeSession(): Promise<Receipt | undefined> {
    const data = await this.send(INS.CLOSE_SESSION);
    return data.length === 0 ? undefined : openReceipt(data, CARD_KEYS.receipt);
  }

  /** @returns the confirm of a message for this card alone. */
  async loadKey(message: Uint8Array, status: number = STATUS.DONE): Promise<Uint8Array> {
    const data = await this.send(INS.LOAD_KEY, message, status);
    expect(data).toHaveLength(status === STATUS.DONE && isPersonal(message[24]!) ? 48 : 0);
    return data;
  }

  async deleteKey(kind: number, service: number, id: number, status: number = STATUS.DONE): Promise<void> {
    await this.send(INS.DELETE_KEY, concat(Uint8Array.of(kind), encodeU32(service), encodeU32(id)), status);
  }

  async decode(part: Uint8Array, status: number = STATUS.DONE): Promise<Uint8Array> {
    const data = await this.send(INS.DECODE, part, status);
    if (status !== STATUS.DONE) expect(data).toHaveLength(0);
    return data;
  }

  /** Expects that a card part is refused and that nothing at all has changed. */
  async refused(part: Uint8Array, status: number): Promise<void> {
    const before = await this.purse();
    await this.decode(part, status);
    expect(await this.purse()).toEqual(before);
  }

  /** Kind, in hexadecimal, service and id of every key on the card. */
  async keys(): Promise<string[]> {
    const list = parseKeyList(await this.send(INS.LIST_KEYS));
    return list.map(({ kind, service, keyId }) => `${kind.toString(16)} ${service}/${keyId}`);
  }

  async purse(): Promise<PurseStatus> {
    return parsePurseStatus(await this.send(INS.GET_PURSE));
  }

  /** @param back records before the newest. */
  async record(back = 0): Promise<LogRecord> {
    return parseLogRecord(await this.command({ cla: CLA_MODULE, ins: INS.GET_LOG, p1: 0, p2: back, le: 256 }));
  }

  async loadCredit(order: Uint8Array, status: number = STATUS.DONE): Promise<Uint8Array> {
    return this.send(INS.LOAD_CREDIT, order, status);
  }

  async receipt(number?: number): Promise<Receipt> {
    const data = await this.send(INS.GET_RECEIPT, number === undefined ? undefined : encodeU32(number));
    return openReceipt(data, CARD_KEYS.receipt);
  }

  async noReceipt(number?: number): Promise<void> {
    await this.send(INS.GET_RECEIPT, number === undefined ? undefined : encodeU32(number), STATUS.NOT_FOUND);
  }

  async acknowledge(message: Uint8Array, status: number = STATUS.DONE): Promise<void> {
    await this.send(INS.ACKNOWLEDGE_RECEIPTS, message, status);
  }

  /** Off and on; nothing is selected then. */
  async reset(): Promise<void> {
    this.steps.push('reset');
    this.#secure = undefined;
    await this.#card.reset();
  }

  /**
   * Sends a command whose answer the power does not live to give; the card is in again then, powered, nothing selected.
   */
  async cut(when: 'before' | 'after', command: CommandApdu): Promise<void> {
    const octets = encodeCommand(command);
    this.#secure = undefined;
    this.steps.push(`cut ${when}`, [toHex(octets), null]);
    await this.#card.cut(when === 'before' ? 0 : 'afterLast');
    await expect(this.#channel!.transmit(octets)).rejects.toThrow(CardGoneError);
    await this.#channel!.close();
    await this.#card.insert();
    this.#channel = await this.#card.channel();
  }
}

/** 10 USD on the card; service, segment and content key (0.25 USD/MB) loaded, session open. */
async function activate(tester: Tester, profile: Uint8Array): Promise<void> {
  await tester.storeData(0x0001, profile, false);
  await tester.activate(0x8001, KEYS);
}

/** From a blank card that is selected to an open session with credit and keys. */
export async function bringUp(tester: Tester, profile: Uint8Array = PROFILE): Promise<void> {
  await activate(tester, profile);
  await tester.loadCredit(signOrder(1, 10_000_000n));
  await tester.loadKey(sealService(1));
  await tester.loadKey(sealSegment());
  await tester.loadKey(sealContent());
  await tester.open();
}

const BEGINNINGS: Record<Beginning, (tester: Tester) => Promise<void>> = {
  async blank(tester) {
    await tester.select();
  },
  async active(tester) {
    await tester.select();
    await activate(tester, PROFILE);
  },
  async playing(tester) {
    await tester.select();
    await bringUp(tester);
  },
};
