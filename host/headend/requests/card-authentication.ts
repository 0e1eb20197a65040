import { decodeCardId } from '../../../apdu/decode-module/card-id.ts';
import type { CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { Cmac } from '../../../apdu/decode-module/keys/cmac.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type Confirm, openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { type LeaveRecord, openLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { openRequest, type SignedRequest } from '../../../apdu/decode-module/requests/signed-request.ts';
import { ForgedError } from '../../../apdu/decode-module/signed-message.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { MESSAGE_FRAME } from '../../../apdu/layout/message-frame.ts';
import { CONFIRM, REQUEST } from '../../../apdu/layout/requests.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { ProblemCode } from '../../contract/answers/problem.ts';

/** What a card says, once its tag was found right. */
export type CardMessage =
  | { readonly what: 'request'; readonly request: SignedRequest; readonly tag: Uint8Array }
  | { readonly what: 'confirm'; readonly confirm: Confirm }
  | { readonly what: 'leave record'; readonly record: LeaveRecord };

/** @returns the id of the card that says it, 8 octets. */
export function cardOf(message: CardMessage): Uint8Array {
  switch (message.what) {
    case 'request':
      return message.request.cardId;
    case 'confirm':
      return message.confirm.cardId;
    case 'leave record':
      return message.record.cardId;
  }
}

/** What tells the requests of one issuer's cards from forged ones. */
export interface IssuerUplinkKeys {
  /** 16 octets. */
  readonly master: Uint8Array;
  /** Of cards that were made before there was an uplink master, by card id in hexadecimal, 16 octets each. */
  readonly older?: ReadonlyMap<string, Uint8Array> | undefined;
}

/** The three messages have the card id in the same place. */
const CARD_ID_AT = REQUEST.at.cardId;
const CARD_ID_END = CARD_ID_AT + 8;

/**
 * Tells what a card says from what others say in its name. All that it needs to know of a card is in the card's id: a
 * card that was never seen before is as good as any other.
 */
export class CardAuthentication {
  readonly #masters: ReadonlyMap<number, Cmac>;
  readonly #older: ReadonlyMap<string, Uint8Array>;
  readonly #makeCipher: CbcFactory | undefined;

  /**
   * @param masters uplink masters by the number of their issuer, 16 octets each.
   * @param older uplink keys of cards that were made before there was an uplink master, by card id in hexadecimal.
   * @param makeCipher in JavaScript when left out.
   */
  constructor(
    masters: ReadonlyMap<number, Uint8Array>,
    older: ReadonlyMap<string, Uint8Array> = new Map(),
    makeCipher?: CbcFactory,
  ) {
    this.#masters = new Map([...masters].map(([issuer, master]) => [issuer, new Cmac(master, makeCipher)]));
    this.#older = older;
    this.#makeCipher = makeCipher;
  }

  /** @returns the message, or the problem that it is answered with. */
  open(octets: Uint8Array): CardMessage | Extract<ProblemCode, 'malformed' | 'foreign-issuer' | 'wrong-signature'> {
    if (octets.length !== REQUEST.length && octets.length !== CONFIRM.length) return 'malformed';
    const cardId = octets.subarray(CARD_ID_AT, CARD_ID_END);
    try {
      const master = this.#masters.get(decodeCardId(cardId).issuer);
      if (master === undefined) return 'foreign-issuer';
      const uplinkKey = this.#older.get(toHex(cardId)) ?? deriveCardKey(master, 'uplink', cardId);
      return openMessage(octets, uplinkKey, this.#makeCipher);
    } catch (error) {
      if (error instanceof ForgedError) return 'wrong-signature';
      if (error instanceof TollcastError) return 'malformed';
      throw error;
    }
  }
}

function openMessage(octets: Uint8Array, uplinkKey: Uint8Array, makeCipher?: CbcFactory): CardMessage {
  switch (MESSAGE_FRAME.readUint(octets, 'kind')) {
    case KIND.confirm:
      return { what: 'confirm', confirm: openConfirm(octets, uplinkKey, makeCipher) };
    case KIND.leaveRecord:
      return { what: 'leave record', record: openLeaveRecord(octets, uplinkKey, makeCipher) };
    default:
      return {
        what: 'request',
        request: openRequest(octets, uplinkKey, makeCipher),
        tag: octets.slice(REQUEST.at.tag),
      };
  }
}
