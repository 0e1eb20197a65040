import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { type LoadRequest, signLoadProof, signLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { type Receipt, signReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import {
  encodeCardFile,
  type MessageName,
  messagesOf,
  parseCardFile,
} from '../../../host/contract/card-files/card-file.ts';
import { deriveTestCardKey } from '../streams/test-service.ts';

const USD = 840;

/** Signs what a card says of its purse, true or not. */
export class HandPurse {
  readonly cardId: Uint8Array;
  readonly #receipt: AesCbc;
  readonly #loadOut: AesCbc;

  /** @param cardId 8 octets. */
  constructor(cardId: Uint8Array) {
    this.cardId = cardId;
    this.#receipt = new AesCbc(deriveTestCardKey('receipt', cardId));
    this.#loadOut = new AesCbc(deriveTestCardKey('load-out', cardId));
  }

  /** The file of a load request; of an empty purse where nothing else is said. */
  askForLoad(changes: Partial<LoadRequest> = {}): string {
    const empty = {
      number: 0,
      loaded: 0n,
      spent: 0n,
      torn: 0n,
      taken: 0n,
      lastLoadId: new Uint8Array(8),
      lastAmount: 0n,
    };
    const request = { cardId: this.cardId, currency: USD, ...empty, receiptsWritten: 0, ...changes };
    return this.#file('load request', 'load-request', signLoadRequest(request, this.#loadOut));
  }

  /** The file of the proof that an order was carried out. @param order its file. */
  prove(order: string): string {
    const [octets] = messagesOf(parseCardFile(order, 'load order', 'the order'), 'load-order');
    return this.#file('load proof', 'load-proof', signLoadProof(octets!, this.#loadOut));
  }

  /** A receipt, 112 octets; the first one of a purse that spent nothing where nothing else is said. */
  signReceipt(changes: Partial<Receipt> = {}): Uint8Array {
    const session = { number: 1, service: 7, session: 1, firstSegment: 1, lastSegment: 1, from: 1, to: 2 };
    const counts = { octets: 0, duration: 0, groups: 0, amount: 0n, torn: 0n, loaded: 0n, spent: 0n };
    const receipt = {
      cardId: this.cardId,
      ...session,
      ...counts,
      currency: USD,
      reason: 'closed',
      ...changes,
    } as const;
    return signReceipt(receipt, this.#receipt);
  }

  #file(kind: 'load request' | 'load proof', name: MessageName, octets: Uint8Array): string {
    return encodeCardFile({ kind, cardId: this.cardId, messages: [{ name, octets }] });
  }
}
