import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { parseLeaveRecord } from '../../apdu/decode-module/requests/leave-record.ts';
import { OutOfRangeError, TollcastError } from '../../apdu/errors.ts';

/** A purchase of a card, as its list of keys names it. */
export interface PurchaseName {
  readonly service: number;
  readonly keyId: number;
}

/** A purchase that was ended early. */
export interface LeftPurchase {
  /** As the card signed it, for the operator. The card makes it again only while the purchase is on it. */
  readonly record: Uint8Array;
  /** Seconds since 1970: the end of the purchase from now on. */
  readonly to: number;
}

/**
 * Ends a purchase early, for good.
 * @param at seconds since 1970.
 * @throws TollcastError `UNKNOWN_KEY` when there is no such purchase on the card.
 * @throws OutOfRangeError when the purchase ends before `at` anyhow.
 */
export async function leavePurchase(module: DecodeModule, purchase: PurchaseName, at: number): Promise<LeftPurchase> {
  const { service, keyId } = purchase;
  try {
    const record = await module.leave(service, keyId, at);
    return { record, to: parseLeaveRecord(record).to };
  } catch (cause) {
    if (!(cause instanceof ModuleError)) throw cause;
    switch (cause.code) {
      case 'UNKNOWN_KEY': {
        const text = `there is no purchase ${keyId} of service ${service} on this card; see: tollcast card info`;
        throw new TollcastError(cause.code, text, { cause });
      }
      case 'BAD_FIELD': {
        const text = `purchase ${keyId} of service ${service} ends before that anyhow; name an earlier --at`;
        throw new OutOfRangeError(text, { cause });
      }
      default:
        throw cause;
    }
  }
}
