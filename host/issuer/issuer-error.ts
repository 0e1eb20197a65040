import { TollcastError } from '../../apdu/errors.ts';

/** Why the issuer would not: for programs to tell apart. */
export type IssuerErrorCode =
  /** There is no issuer store, or not this master in it. */
  | 'NO_STORE'
  | 'NO_MASTER'
  /** A store is there already and is never written over. */
  | 'STORE_EXISTS'
  | 'STORE_DAMAGED'
  | 'STORE_OPEN_TO_OTHERS'
  | 'NO_PASSPHRASE'
  | 'WRONG_PASSPHRASE'
  /** The card in the reader: personalised already, not yet, by somebody else, or no longer in use. */
  | 'NOT_BLANK'
  | 'BLANK'
  | 'WRONG_ISSUER'
  | 'NOT_IN_ACCOUNTS'
  | 'NOT_IN_USE'
  /** The keys of its secure channel: not these, or the file with them cannot be read. */
  | 'CHANNEL_KEYS'
  | 'NO_PIN'
  /** A verification key that is none, or a file without one. */
  | 'VERIFICATION_KEY'
  /** The file with the numbers of grants cannot be read or written. */
  | 'GRANT_NUMBERS'
  | 'SERIAL_TAKEN'
  | 'WRONG_CURRENCY'
  | 'OVER_MAXIMUM'
  | 'NOTHING_TO_LOAD'
  /** A soft module is given credit against its receipts alone. */
  | 'RECEIPTS_FIRST'
  /** An order signed before was still open; it is loaded now, the new one is not. */
  | 'EARLIER_LOAD'
  /** The card has forgotten what it once proved: a copy, or a file put back. */
  | 'CARD_ROLLED_BACK'
  /** It did so before: it is given nothing any more. */
  | 'WITHDRAWN'
  /** The accounts have forgotten what the card proves: an old copy of them. */
  | 'ACCOUNTS_BEHIND'
  | 'ACCOUNTS_DISAGREE'
  | 'RECEIPTS_DISAGREE';

export class IssuerError extends TollcastError {
  override readonly name = 'IssuerError';
  override readonly code: IssuerErrorCode;

  constructor(code: IssuerErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.code = code;
  }
}
