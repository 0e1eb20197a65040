import type { Command } from 'commander';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { toHex } from '../../../apdu/octets.ts';
import type { SignedOffer } from '../../contract/offer/signed-offer.ts';
import { formatSession } from '../../contract/session/session-identity.ts';
import { readCard } from '../../holder/card-snapshot.ts';
import { addCardOptions, type CardOptions, print, withCard } from '../options/card-option.ts';
import { addHeadEndOptions, type HeadEndOptions } from '../options/head-end-option.ts';
import { formatTime } from '../terminal/time.ts';
import { findObstacle, formatOfferPrice } from './describe-offer.ts';
import { findChannels } from './find-channels.ts';
import { HEARING_TIME } from './hear-channels.ts';

type ChannelsOptions = CardOptions & HeadEndOptions;

/** Adds `tollcast channels` to the program. */
export function addChannelsCommand(program: Command): void {
  const command = program.command('channels').description('list what head-ends offer, and what this card may watch');
  addCardOptions(addHeadEndOptions(command)).action(listChannels);
}

async function listChannels(options: ChannelsOptions): Promise<void> {
  if (options.headEnd === undefined && process.stderr.isTTY) {
    const seconds = HEARING_TIME / 1000;
    process.stderr.write(
      `tollcast: listens for announcements for ${seconds} s; --head-end asks one head-end at once\n`,
    );
  }
  const channels = await findChannels(options);
  const card = await withCard(options, (channel) => readCard(new DecodeModule(channel)));
  const listed = channels.map((offer) => ({ offer, obstacle: findObstacle(offer, card) }));
  const lines = listed.map(({ offer, obstacle }) => describeChannel(offer, obstacle));
  const json = listed.map(({ offer, obstacle }) => channelToJson(offer, obstacle));
  print(options, { channels: json }, lines.length === 0 ? ['nothing is offered there at present'] : lines);
}

function describeChannel(offer: SignedOffer, obstacle: string | undefined): string {
  const age = offer.rating === 0 ? 'for all' : `from ${offer.rating} years`;
  const may = obstacle === undefined ? 'this card may watch it' : `not with this card: ${obstacle}`;
  return `${offer.name}: ${formatOfferPrice(offer)}, ${age}; ${may}`;
}

function channelToJson(offer: SignedOffer, obstacle: string | undefined): Record<string, unknown> {
  const { name, service, session, rating, classes, address, from, to } = offer;
  return {
    id: toHex(offer.sessionHash),
    name,
    service,
    session: formatSession(session),
    price: formatOfferPrice(offer),
    rating,
    classes,
    address: `${address.address}:${address.port}`,
    from: formatTime(from),
    to: formatTime(to),
    ...(obstacle !== undefined && { obstacle }),
  };
}
