import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { isPersonal } from '../../../apdu/decode-module/kinds.ts';

/** Seconds for which a purchase that has ended is still needed: packets of its time are on their way. */
const NEEDED_AFTER_END = 10;

/**
 * Makes room for another purchase of a service: deletes the one that ended first.
 * @param now seconds since 1970, by the clock of who sells the service.
 * @returns whether there was one.
 */
export async function deleteEndedPurchase(
  module: Pick<DecodeModule, 'listKeys' | 'deleteKey'>,
  service: number,
  now: number,
): Promise<boolean> {
  const keys = await module.listKeys();
  const ended = keys.filter(
    (key) => key.service === service && isPersonal(key.parentKind) && key.to + NEEDED_AFTER_END <= now,
  );
  const [first] = ended.toSorted((a, b) => a.to - b.to);
  if (first !== undefined) await module.deleteKey(first.kind, service, first.keyId);
  return first !== undefined;
}
