import { TollcastError } from '../../../apdu/errors.ts';

/** Why an attack could not be tried. It does not say whether the card would have held. */
export class AttackError extends TollcastError {
  override readonly name = 'AttackError';
}
