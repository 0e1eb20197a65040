import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { encodeCardKeys, encodeCardProfile } from '../../../apdu/decode-module/personalisation.ts';
import { startCard } from '../../../card-sim/index.ts';
import { detailsOf } from '../../../host/contract/answers/problem.ts';
import type { PostReply } from '../../../host/holder/requests/subscription.ts';
import { type DeskFixture, ISSUER, UNIQUE_MASTER, UPLINK_MASTER } from '../headend/request-desk-fixture.ts';
import { activate } from './activate.ts';

/** A soft card whose requests the desk of a `DeskFixture` knows. */
export async function startSubscribingCard() {
  const cardId = encodeCardId({ issuer: ISSUER, moduleClass: 'soft', serial: 77 });
  const card = await startCard({ kind: 'soft' });
  const channel = await card.channel();
  const module = new DecodeModule(channel);
  await module.select();
  const zeros = new Uint8Array(16);
  const keys = {
    downlink: deriveCardKey(UNIQUE_MASTER, 'downlink', cardId),
    uplink: deriveCardKey(UPLINK_MASTER, 'uplink', cardId),
    receipt: zeros,
    acknowledgement: zeros,
    'load-in': zeros,
    'load-out': zeros,
  };
  const profile = { cardId, currency: 840, maximumBalance: 1n, maximumUnacknowledged: 1n };
  await activate(channel, encodeCardProfile(profile), encodeCardKeys(keys));
  return { card, module };
}

/** Asks a desk as HTTP does. */
export async function postToDesk({ desk }: DeskFixture, octets: Uint8Array): Promise<PostReply> {
  const reply = await desk.answer(octets);
  if ('answer' in reply) return { status: 200, body: new TextEncoder().encode(reply.answer) };
  const details = detailsOf(reply.problem);
  return { status: details.status, body: new TextEncoder().encode(JSON.stringify(details)) };
}
