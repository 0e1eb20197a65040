import { TollcastError } from '../../../apdu/errors.ts';

export type AttackErrorCode =
  /** The card belongs to somebody. */
  | 'NOT_OURS'
  /** The card refuses an honest command. */
  | 'CONTROL'
  /** The file with the masters of the kit's cards cannot be read. */
  | 'KIT_FILE';

/** Why an attack could not be tried. It does not say whether the card would have held. */
export class AttackError extends TollcastError {
  override readonly name = 'AttackError';
  override readonly code: AttackErrorCode;

  constructor(code: AttackErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.code = code;
  }
}
