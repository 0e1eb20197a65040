import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { isPersonal, KIND } from '../../../apdu/decode-module/kinds.ts';

/** Seconds for which a purchase that has ended is still needed: packets of its time are on their way. */
const NEEDED_AFTER_END = 10;
/** Seconds for which one of another service is kept: who sells that may have another clock. */
const KEPT_AFTER_END = 86_400;

/**
 * Makes room for another purchase: deletes the one that ended first.
 * @param service what sells it.
 * @param now seconds since 1970, by the clock of who sells the service.
 * @param ownNow seconds since 1970, by the clock of this computer.
 * @returns whether there was one.
 */
export async function deleteEndedPurchase(
  module: Pick<DecodeModule, 'listKeys' | 'deleteKey'>,
  service: number,
  now: number,
  ownNow: number,
): Promise<boolean> {
  const keys = await module.listKeys();
  const ended = keys.filter((key) => {
    if (!isPersonal(key.parentKind) || key.kind === KIND.node) return false;
    return key.service === service
      ? key.to + NEEDED_AFTER_END <= now
      : key.to + KEPT_AFTER_END <= Math.min(now, ownNow);
  });
  const [first] = ended.toSorted((a, b) => a.to - b.to);
  if (first !== undefined) await module.deleteKey(first.kind, first.service, first.keyId);
  return first !== undefined;
}

/** Deletes the private halves of a service that was left: a card has four places for those of all services. */
export async function deletePrivateHalves(
  module: Pick<DecodeModule, 'listKeys' | 'deleteKey'>,
  service: number,
): Promise<void> {
  for (const { kind, service: sold, keyId } of await module.listKeys()) {
    if (kind === KIND.servicePair && sold === service) await module.deleteKey(kind, service, keyId);
  }
}
