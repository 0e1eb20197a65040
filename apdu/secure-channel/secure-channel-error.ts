import { TollcastError } from '../errors.ts';

/**
 * - `WRONG_KEYS`: card and host do not hold the same keys.
 * - `NO_KEY_SET`: the card holds no key set of this version.
 * - `NO_SCP03`: the card speaks another secure channel protocol, or lacks what was asked of it.
 * - `FORGED_ANSWER`: the R-MAC of an answer is wrong.
 * - `CHANNEL_ENDED`: the channel has ended before this command.
 */
export type SecureChannelErrorCode = 'WRONG_KEYS' | 'NO_KEY_SET' | 'NO_SCP03' | 'FORGED_ANSWER' | 'CHANNEL_ENDED';

/** What goes wrong with a secure channel to a card. */
export class SecureChannelError extends TollcastError {
  override readonly name = 'SecureChannelError';
  override readonly code: SecureChannelErrorCode;

  constructor(code: SecureChannelErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.code = code;
  }
}
