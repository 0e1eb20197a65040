import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { type Pin, presentPin } from './pin.ts';

/**
 * Sets the most that a card takes on one day of media time. The card wants the PIN first.
 * @param limit micro-units, or `NO_SPEND_LIMIT`.
 * @throws TollcastError as `presentPin` does.
 */
export async function setSpendLimit(module: DecodeModule, limit: bigint, pin: Pin): Promise<void> {
  await presentPin(module, pin);
  await module.setSpendLimit(limit);
}
