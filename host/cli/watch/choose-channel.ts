import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { type SignedOffer, verifyOffer } from '../../contract/offer/signed-offer.ts';
import { readCard } from '../../holder/card-snapshot.ts';
import type { CardAddress } from '../../transport/card/card-address.ts';
import { findObstacle, isOfferTrusted } from '../channels/describe-offer.ts';
import { findChannels } from '../channels/find-channels.ts';
import { withCard } from '../options/card-option.ts';
import type { HeadEndOptions } from '../options/head-end-option.ts';

interface ChannelOptions extends HeadEndOptions {
  readonly card: CardAddress;
  readonly wait?: true;
}

/**
 * Finds a channel by its name, as far as this card may watch it.
 * @param name whole, or as much of it as tells it from the others; capitals do not matter.
 * @throws TollcastError `CHANNEL` when there is none, or several, of this name, or the card may not watch it;
 *   `OFFER_NOT_TRUSTED`.
 * @throws TransportError when head-end or card are not there.
 */
export async function chooseChannel(name: string, options: ChannelOptions): Promise<SignedOffer> {
  const { card, wait } = options;
  const snapshot = await withCard({ card, ...(wait === true && { wait }) }, (channel) =>
    readCard(new DecodeModule(channel)),
  );
  const isTrusted = (offer: SignedOffer) => isOfferTrusted(offer, snapshot.trusted);
  const channels = await findChannels(options, {
    isWanted: (offer) => isCalled(offer, name) && isTrusted(offer),
  });
  // Anybody may announce a channel of the same name.
  const trustedOnes = findByName(name, channels.filter(isTrusted));
  const offer = requireOne(name, trustedOnes.length > 0 ? trustedOnes : findByName(name, channels), channels);
  const trusted = verifyOffer(offer.octets, snapshot.trusted);
  const obstacle = findObstacle(trusted, snapshot);
  if (obstacle !== undefined) {
    throw new TollcastError('CHANNEL', `${offer.name} cannot be watched: ${obstacle}; see: tollcast channels`);
  }
  return trusted;
}

function isCalled(offer: SignedOffer, name: string): boolean {
  return offer.name.toLowerCase() === name.toLowerCase();
}

function findByName(name: string, channels: readonly SignedOffer[]): readonly SignedOffer[] {
  const whole = channels.filter((one) => isCalled(one, name));
  return whole.length > 0 ? whole : channels.filter((one) => one.name.toLowerCase().startsWith(name.toLowerCase()));
}

function requireOne(name: string, found: readonly SignedOffer[], all: readonly SignedOffer[]): SignedOffer {
  if (found.length === 1) return found[0]!;
  const names = (found.length > 1 ? found : all).map((one) => `"${one.name}"`).join(', ');
  const what = found.length > 1 ? `${found.length} channels are called so` : `no channel "${name}" is offered`;
  throw new TollcastError('CHANNEL', `${what}: name one of ${names === '' ? 'those that will be offered' : names}`);
}
