import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { type CardHeader, makeContentCiphers, sealCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { CARD_HEADER, CARD_TAG } from '../../../apdu/layout/packets.ts';
import {
  signAcknowledgementUpTo,
  CONTENT_KEY_ID,
  sealContent,
  findKey,
  KEYS,
  signOrder,
  MAXIMUM,
  PROFILE,
  sealSegment,
  SERVICE,
  sealService,
  makeSpan,
  SSRC,
  START,
} from '../../conformance/messages/messages.ts';
import { activate } from '../../support/cards/activate.ts';

/** Micro-units per MB: so little that a full purse lasts for any number of groups measured here. */
export const PRICE = 1000n;
const PACKETS = 100;
const SPAN = 64;

/** Makes a blank card active, with a full purse. */
export async function fillCard(channel: CardChannel): Promise<void> {
  const module = new DecodeModule(channel);
  await module.select();
  await activate(channel, PROFILE, KEYS);
  await module.startLoad();
  await module.loadCredit(signOrder(1, MAXIMUM));
  // As the head-end does it unless told: a take for every MB of toll.
  await module.loadKey(sealService(1, { quantum: PRICE }));
}

/**
 * Selects the module of a filled card, takes the receipt of the last round off it and loads what a reset took from its
 * RAM.
 */
export async function wakeCard(channel: CardChannel): Promise<DecodeModule> {
  const module = new DecodeModule(channel);
  await module.select();
  await module.acknowledgeReceipts(signAcknowledgementUpTo((await module.getPurse()).receiptsWritten));
  await module.loadKey(sealSegment());
  await module.loadKey(sealContent({ price: PRICE }));
  await module.openSession(SERVICE);
  return module;
}

/** The working keys of the content key. */
export const contentPair = deriveWorkingKeys(
  KIND.content,
  SERVICE,
  CONTENT_KEY_ID,
  findKey(KIND.content, SERVICE, CONTENT_KEY_ID),
);
const CIPHERS = makeContentCiphers(contentPair);

const PART_OCTETS = CARD_HEADER.length + SPAN + CARD_TAG;

/**
 * Card parts of span 64 for groups of 100 full packets, numbered upwards from `first`; side by side in memory, as
 * packets are received.
 */
export function sealCardParts(first: number, count: number): Uint8Array[] {
  const memory = new Uint8Array(count * PART_OCTETS);
  return Array.from({ length: count }, (_, i) => {
    const header: CardHeader = {
      mode: 'sealed',
      spanBlocks: SPAN / 16,
      packets: PACKETS,
      octets: PACKETS * 1316,
      duration: 50,
      mediaTime: START,
      contentKeyId: CONTENT_KEY_ID,
      index: (first + i) * PACKETS,
      ssrc: SSRC,
      group: first + i,
    };
    memory.set(sealCardPart(header, makeSpan(header), CIPHERS), i * PART_OCTETS);
    return memory.subarray(i * PART_OCTETS, (i + 1) * PART_OCTETS);
  });
}
