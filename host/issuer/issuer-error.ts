import { TollcastError } from '../../apdu/errors.ts';

/** Why the issuer does not do what it was asked. */
export class IssuerError extends TollcastError {
  override readonly name = 'IssuerError';
}
