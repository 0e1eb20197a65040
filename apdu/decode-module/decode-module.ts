import type { CardChannel } from '../card-channel.ts';
import { TransportError } from '../errors.ts';
import { type CommandApdu, encodeCommand } from '../iso7816/command-apdu.ts';
import { exchange } from '../iso7816/exchange.ts';
import { parseResponse } from '../iso7816/response-apdu.ts';
import { SPEND_LIMIT_DATA, STORE_DATA_HEADER } from '../layout/card.ts';
import { KEY_NAME } from '../layout/keys.ts';
import { LEAVE_DATA } from '../layout/requests.ts';
import { concat, u32 } from '../octets.ts';
import { CLA_ISO, CLA_MODULE, DECODE_BLIND, INS, STORE_LAST, STORE_MORE } from './instruction.ts';
import { type KeyEntry, parseKeyList } from './keys/key-list.ts';
import { parseVerificationKeys, type VerificationKey } from './keys/verification-key.ts';
import { KIND } from './kinds.ts';
import { type LimitsInForce, parseLimitsInForce } from './limits-in-force.ts';
import { DATA_OBJECT, type ModuleData, parseModuleData } from './module-data.ts';
import { ModuleError, STATUS } from './module-status.ts';
import { type LogRecord, parseLogRecord } from './money/log-record.ts';
import { parsePurseStatus, type PurseStatus } from './money/purse-status.ts';
import { parseReceipt, type Receipt } from './money/receipt.ts';
import { type BlindPacket, encodeBlind } from './packets/blind-blocks.ts';
import { PIN_LENGTH } from './pin.ts';
import { encodeRequest, type RequestKind, type ServiceRequest } from './requests/signed-request.ts';
import { LIFE, MODULE_AID, parseSelectAnswer, type SelectAnswer } from './select-answer.ts';

type CommandName = keyof typeof INS;

/** P1 of SET STATUS. */
const P1_APPLICATION = 0x40;
/** Short Le 00: whatever there is. */
const LE_ALL = 256;
const NO_DATA = new Uint8Array(0);

/**
 * The commands of the decode module on a channel to a card; `firmware-notes/protocol.md` 2.
 *
 * Every method throws ModuleError for an answer other than 9000, FormatError for an answer that cannot be read, and
 * what the channel throws when the card leaves. Commands go out in the order of the calls.
 */
export class DecodeModule {
  readonly #channel: CardChannel;
  /** A list that is being fetched. Other commands wait, as they would end it. */
  #listing: Promise<unknown> | undefined;

  constructor(channel: CardChannel) {
    this.#channel = channel;
  }

  /** Selects the module. Ends an open session, and settles a session that a power cut has torn. */
  async select(): Promise<SelectAnswer> {
    return parseSelectAnswer(await this.#send('SELECT', 0x04, MODULE_AID));
  }

  /**
   * Opens a session for a service, and closes that of another one. Costs nothing before the first group.
   * @param service 1 to 2^32 - 1.
   */
  async openSession(service: number): Promise<void> {
    await this.#send('OPEN_SESSION', 0, u32(service));
  }

  /** Closes the session, if one is open. @returns the newest receipt, if there ever was one. */
  async closeSession(): Promise<Receipt | undefined> {
    const answer = await this.#send('CLOSE_SESSION', 0, NO_DATA);
    return answer.length === 0 ? undefined : parseReceipt(answer);
  }

  /**
   * @param message a whole key message.
   * @returns for one under the card's unique key the confirm, 48 octets, for the head-end; else undefined.
   */
  async loadKey(message: Uint8Array): Promise<Uint8Array | undefined> {
    const answer = await this.#send('LOAD_KEY', 0, message);
    return answer.length === 0 ? undefined : answer;
  }

  /**
   * Ends a purchase earlier, for good.
   * @param to media time; below the purchase's start it is taken as that.
   * @returns the leave record, 48 octets, for the head-end.
   * @throws ModuleError `BAD_FIELD` when the purchase ends before that already.
   */
  async leave(service: number, keyId: number, to: number): Promise<Uint8Array> {
    return this.#send('LEAVE', 0, LEAVE_DATA.encode({ service, keyId, to }));
  }

  /** Has the card sign a request. @returns 80 octets, for the head-end. */
  async signRequest(kind: RequestKind, request: ServiceRequest): Promise<Uint8Array> {
    return this.#send('SIGN_REQUEST', 0, encodeRequest(request), KIND[kind]);
  }

  /** Removes a key and all below it. @param kind as in `KIND`. */
  async deleteKey(kind: number, service: number, keyId: number): Promise<void> {
    await this.#send('DELETE_KEY', 0, KEY_NAME.encode({ kind, service, keyId }));
  }

  /** The keys on the card, service keys first, then segment and content keys. */
  async listKeys(): Promise<KeyEntry[]> {
    const answer = this.#send('LIST_KEYS', 0, NO_DATA);
    const done = answer.catch(() => undefined);
    this.#listing = done;
    try {
      return parseKeyList(await answer);
    } finally {
      if (this.#listing === done) this.#listing = undefined;
    }
  }

  /**
   * Has the card check, charge and decrypt one group.
   * @param part whole card part, 56 to 248 octets.
   * @returns mode sealed: group key, then content; mode open: content.
   */
  decode(part: Uint8Array): Promise<Uint8Array> {
    return this.#send('DECODE', 0, part);
  }

  /**
   * Has the card decrypt blocks that stand alone in a packet, free or at a flat price. Nothing of them is
   * authenticated.
   * @param blocks 16 to 240 octets, whole blocks.
   * @returns as many octets.
   */
  async decodeBlind(packet: BlindPacket, blocks: Uint8Array): Promise<Uint8Array> {
    return this.#send('DECODE', DECODE_BLIND, encodeBlind(packet, blocks));
  }

  async getPurse(): Promise<PurseStatus> {
    return parsePurseStatus(await this.#send('GET_PURSE', 0, NO_DATA));
  }

  /** First half of a load. @returns the load request, 80 octets, for the issuer. */
  async startLoad(): Promise<Uint8Array> {
    return this.#send('START_LOAD', 0, NO_DATA);
  }

  /**
   * Second half of a load. The same order again gives the same proof and loads nothing.
   * @param order the issuer's, 64 octets: a load order, or one that sets the credit limit.
   * @returns the load proof, 64 octets, for the issuer.
   */
  async loadCredit(order: Uint8Array): Promise<Uint8Array> {
    return this.#send('LOAD_CREDIT', 0, order);
  }

  /**
   * @param number one of the last 32; without it the oldest one not acknowledged.
   * @returns the receipt's 112 octets; `parseReceipt` reads them.
   * @throws ModuleError `NOT_FOUND` when there is no such receipt.
   */
  async getReceipt(number?: number): Promise<Uint8Array> {
    return this.#send('GET_RECEIPT', 0, number === undefined ? NO_DATA : u32(number));
  }

  /** @param acknowledgement the issuer's, 32 octets. */
  async acknowledgeReceipts(acknowledgement: Uint8Array): Promise<void> {
    await this.#send('ACKNOWLEDGE_RECEIPTS', 0, acknowledgement);
  }

  /**
   * Personalises a card, one DGI at a time. It needs a secure channel, with C-ENC for what is secret.
   * @param dgi as in `DGI`.
   * @param value up to 228 octets.
   * @param last makes a blank card personalised.
   */
  async storeData(dgi: number, value: Uint8Array, last: boolean): Promise<void> {
    const header = STORE_DATA_HEADER.encode({ dgi, length: value.length });
    await this.#send('STORE_DATA', last ? STORE_LAST : STORE_MORE, concat(header, value));
  }

  /** Only on a secure channel. The same state again changes nothing. */
  async setStatus(life: 'active' | 'blocked' | 'terminated'): Promise<void> {
    await this.#send('SET_STATUS', P1_APPLICATION, NO_DATA, LIFE[life]);
  }

  /** @param pin as `encodePin` makes it. Holds until the next SELECT or reset. */
  async verifyPin(pin: Uint8Array): Promise<void> {
    await this.#send('VERIFY', 0, pin);
  }

  /**
   * Verifies a PIN that the holder enters at the keypad of the reader.
   * @throws TransportError `NO_PIN_PAD` when there is none, `PIN_NOT_GIVEN` when nobody entered a PIN.
   */
  async enterPin(): Promise<void> {
    const { enterPin } = this.#channel;
    if (enterPin === undefined) {
      const text = 'only readers of PC/SC have keypads; type the PIN at the computer instead: --pin';
      throw new TransportError('NO_PIN_PAD', text);
    }
    if (this.#listing !== undefined) await this.#listing;
    const data = new Uint8Array(PIN_LENGTH).fill(0xff);
    const command = encodeCommand({ cla: CLA_MODULE, ins: INS.VERIFY, p1: 0, p2: 0, data });
    const { status } = parseResponse(await enterPin.call(this.#channel, command));
    if (status !== STATUS.DONE) throw new ModuleError(status, 'VERIFY');
  }

  /** The new PIN has to be verified before it opens anything. */
  async changePin(old: Uint8Array, pin: Uint8Array): Promise<void> {
    await this.#send('CHANGE_PIN', 0, concat(old, pin));
  }

  /** Needs a verified PIN. @param limit micro-units a day of media time; `NO_SPEND_LIMIT` for none. */
  async setSpendLimit(limit: bigint): Promise<void> {
    await this.#send('SET_SPEND_LIMIT', 0, SPEND_LIMIT_DATA.encode({ limit }));
  }

  /**
   * @param back steps from the newest purse record, 0 to 63.
   * @throws ModuleError `NOT_FOUND` when there were not so many.
   */
  async getLog(back: number): Promise<LogRecord> {
    return parseLogRecord(await this.#send('GET_LOG', 0, NO_DATA, back));
  }

  async getModuleData(): Promise<ModuleData> {
    const object = DATA_OBJECT.module;
    return parseModuleData(await this.#send('GET_DATA', object >>> 8, NO_DATA, object & 0xff));
  }

  /**
   * Gets what holds for the holder at present.
   * @throws ModuleError `UNKNOWN_KEY` from a card made before this could be asked.
   */
  async getLimits(): Promise<LimitsInForce> {
    const object = DATA_OBJECT.limits;
    return parseLimitsInForce(await this.#send('GET_DATA', object >>> 8, NO_DATA, object & 0xff));
  }

  /** Gets the keys whose signatures the hosts of this card are to trust. */
  async getVerificationKeys(): Promise<VerificationKey[]> {
    const object = DATA_OBJECT.verificationKeys;
    return parseVerificationKeys(await this.#send('GET_DATA', object >>> 8, NO_DATA, object & 0xff));
  }

  /**
   * Has the card make a new key pair of its own, for the issuer to certify. The one before is gone. It needs a secure
   * channel.
   * @returns the uncompressed point of P-256, 65 octets.
   */
  async generateKeyPair(): Promise<Uint8Array> {
    return this.#send('GENERATE_KEY_PAIR', 0, NO_DATA);
  }

  /**
   * Gets the card's own public key.
   * @returns the uncompressed point of P-256, 65 octets.
   * @throws ModuleError `UNKNOWN_KEY` when it has no pair.
   */
  async getPublicKey(): Promise<Uint8Array> {
    const object = DATA_OBJECT.publicKey;
    return this.#send('GET_DATA', object >>> 8, NO_DATA, object & 0xff);
  }

  async #send(name: CommandName, p1: number, data: Uint8Array, p2 = 0): Promise<Uint8Array> {
    if (this.#listing !== undefined) await this.#listing;
    const cla = name === 'SELECT' ? CLA_ISO : CLA_MODULE;
    const command: CommandApdu = { cla, ins: INS[name], p1, p2, data, le: LE_ALL };
    const answer = await exchange(this.#channel, command);
    if (answer.status !== STATUS.DONE) throw new ModuleError(answer.status, name.replaceAll('_', ' '));
    return answer.data;
  }
}
