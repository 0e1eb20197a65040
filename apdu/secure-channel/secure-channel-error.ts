import { TollcastError } from '../errors.ts';

/** What goes wrong with a secure channel to a card. */
export class SecureChannelError extends TollcastError {
  override readonly name = 'SecureChannelError';
}
