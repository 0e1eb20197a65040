import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { KeyEntry } from '../../apdu/decode-module/keys/key-list.ts';
import { isPersonal, KIND, nameKind } from '../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import { parseLeaveRecord } from '../../apdu/decode-module/requests/leave-record.ts';
import { OutOfRangeError, TollcastError } from '../../apdu/errors.ts';

/** A purchase of a card, as its list of keys names it. */
export interface PurchaseName {
  /** Kind of its key, as in `KIND`; any when left out. */
  readonly kind?: number | undefined;
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
 * Finds a purchase. A card may have several of one key id, of several kinds, and LEAVE ends the first of its list
 * (protocol 4.5): another is not found.
 * @throws TollcastError `UNKNOWN_KEY` when there is no such purchase on the card.
 * @throws OutOfRangeError when LEAVE would end another, or it is not said which is meant.
 */
export async function findPurchase(
  module: Pick<DecodeModule, 'listKeys'>,
  { kind, service, keyId }: PurchaseName,
): Promise<KeyEntry> {
  const named = (await module.listKeys()).filter(
    (key) => isPurchase(key) && key.service === service && key.keyId === keyId,
  );
  const found = named.find((key) => kind === undefined || key.kind === kind);
  const [first] = named;
  const what = `purchase ${keyId} of service ${service}`;
  if (found === undefined || first === undefined) {
    throw new TollcastError('UNKNOWN_KEY', `there is no ${what} on this card; see: tollcast card info`);
  }
  if (kind === undefined && named.length > 1) {
    const kinds = named.map((key) => nameKind(key.kind)).join(', ');
    throw new OutOfRangeError(`this card has several: ${what} is of kinds ${kinds}; say which with --kind`);
  }
  if (found !== first) {
    const [meant, ended] = [nameKind(found.kind), nameKind(first.kind)];
    throw new OutOfRangeError(
      `of ${what} the card would end the ${ended}, not the ${meant}; take that off first: --kind ${ended} --delete`,
    );
  }
  return found;
}

/** Deletes a purchase, which makes room for another. */
export async function deletePurchase(module: DecodeModule, { kind, service, keyId }: KeyEntry): Promise<void> {
  // The name means the same key in RAM first, where there is one (protocol 4.1).
  const isThere = (key: KeyEntry) =>
    isPurchase(key) && key.kind === kind && key.service === service && key.keyId === keyId;
  for (let i = 0; i < 2 && (await module.listKeys()).some(isThere); i++) await module.deleteKey(kind, service, keyId);
}

function isPurchase({ parentKind, kind }: KeyEntry): boolean {
  return isPersonal(parentKind) && kind !== KIND.node;
}

/**
 * Ends a purchase early, for good.
 * @param at seconds since 1970.
 * @throws as {@link findPurchase} does; OutOfRangeError also when the purchase ends before `at` anyhow.
 */
export async function leavePurchase(module: DecodeModule, purchase: PurchaseName, at: number): Promise<LeftPurchase> {
  const { service, keyId } = await findPurchase(module, purchase);
  try {
    const record = await module.leave(service, keyId, at);
    return { record, to: parseLeaveRecord(record).to };
  } catch (cause) {
    if (!(cause instanceof ModuleError) || cause.code !== 'BAD_FIELD') throw cause;
    const text = `purchase ${keyId} of service ${service} ends before that anyhow; name an earlier --at`;
    throw new OutOfRangeError(text, { cause });
  }
}
