import { TollcastError } from '../../../apdu/errors.ts';

export type AttackErrorCode =
  /** The card is somebody's. */
  | 'NOT_OURS'
  /** It refuses what is honest. */
  | 'CONTROL'
  /** The file of the kit's own cards cannot be read. */
  | 'KIT_FILE';

/** Why an attack could not be tried; says nothing of whether the card would have held. */
export class AttackError extends TollcastError {
  override readonly name = 'AttackError';
  override readonly code: AttackErrorCode;

  constructor(code: AttackErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.code = code;
  }
}
