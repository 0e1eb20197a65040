import { TollcastError } from '../../apdu/errors.ts';

/** Why a store cannot be used. */
export class StoreError extends TollcastError {
  override readonly name = 'StoreError';
}
