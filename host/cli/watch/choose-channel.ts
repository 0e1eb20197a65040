import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { type SignedOffer, verifyOffer } from '../../contract/offer/signed-offer.ts';
import { readCard } from '../../holder/card-snapshot.ts';
import type { CardAddress } from '../../transport/card/card-address.ts';
import { findObstacle } from '../channels/describe-offer.ts';
import { fetchChannels } from '../channels/fetch-channels.ts';
import { withCard } from '../options/card-option.ts';

/**
 * Finds a channel by its name, as far as this card may watch it.
 * @param name whole, or as much of it as tells it from the others; capitals do not matter.
 * @throws TollcastError `CHANNEL` when there is none, or several, of this name, or the card may not watch it;
 *   `OFFER_NOT_TRUSTED`.
 * @throws TransportError when head-end or card are not there.
 */
export async function chooseChannel(
  name: string,
  { headEnd, card, wait }: { readonly headEnd: URL; readonly card: CardAddress; readonly wait?: true },
): Promise<SignedOffer> {
  const channels = await fetchChannels(headEnd);
  const offer = findByName(name, channels, headEnd);
  const snapshot = await withCard({ card, ...(wait === true && { wait }) }, (channel) =>
    readCard(new DecodeModule(channel)),
  );
  const trusted = verifyOffer(offer.octets, snapshot.trusted);
  const obstacle = findObstacle(trusted, snapshot);
  if (obstacle !== undefined) {
    throw new TollcastError('CHANNEL', `${offer.name} cannot be watched: ${obstacle}; see: tollcast channels`);
  }
  return trusted;
}

function findByName(name: string, channels: readonly SignedOffer[], headEnd: URL): SignedOffer {
  const wanted = name.toLowerCase();
  const whole = channels.filter((one) => one.name.toLowerCase() === wanted);
  const found = whole.length > 0 ? whole : channels.filter((one) => one.name.toLowerCase().startsWith(wanted));
  if (found.length === 1) return found[0]!;
  const names = (found.length > 1 ? found : channels).map((one) => `"${one.name}"`).join(', ');
  const what = found.length > 1 ? `${found.length} channels are called so` : `${headEnd.origin} offers no such channel`;
  throw new TollcastError('CHANNEL', `${what}: name one of ${names === '' ? 'those that it will offer' : names}`);
}
