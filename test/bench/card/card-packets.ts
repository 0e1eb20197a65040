import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ForgedError } from '../../../apdu/decode-module/signed-message.ts';
import { CARD_HEADER, CARD_TAG } from '../../../apdu/layout/packets.ts';
import { type CardKind, startCard } from '../../../card-sim/index.ts';
import { addTicks, amountOfTicks, NO_TICKS, ticksOfOctets } from '../../../card-sim/soft/money/ticks.ts';
import { MAXIMUM } from '../../conformance/messages/messages.ts';
import type { Measurement } from '../figures.ts';
import { sealCardParts, contentPair, fillCard, PRICE, wakeCard } from './ready-card.ts';

/** Rounds and card packets of a round. */
const SOFT = { rounds: 10, packets: 50_000 };
const JCARDSIM = { rounds: 20, packets: 2000 };

/** Card packets per second, each of a group of its own that is paid for, at span 64. */
export async function measureCardPackets(): Promise<Measurement> {
  const pcsc = await countDecodes('pcsc', JCARDSIM);
  const tcp = await countDecodes('jcardsim', JCARDSIM);
  const nodeCrypto = new NodeCryptoPeer();
  let peerBest = 0;
  const soft = await countDecodes('soft', SOFT, () => {
    peerBest = Math.max(peerBest, nodeCrypto.perSecond(sealCardParts(1, SOFT.packets)));
  });
  return {
    how:
      `Span 64, groups of 100 packets paid by the octet, a take for every MB, one DECODE after the other. Best of ${JCARDSIM.rounds} rounds of ` +
      `${JCARDSIM.packets} on jCardSim; of ${SOFT.rounds} rounds of ${SOFT.packets} on the soft module, by turns with the same work on node:crypto: ` +
      `tag, span and price of each card part by KeyObjects, without APDUs and without a card.`,
    rows: [
      { what: 'jCardSim over PC/SC', figure: pcsc, unit: 'card packets/s', goal: { atLeast: 5000 } },
      { what: 'jCardSim over TCP', figure: tcp, unit: 'card packets/s' },
      { what: 'soft module, whole APDU path', figure: soft, unit: 'card packets/s', goal: { atLeast: 250_000 } },
      { what: 'same work on node:crypto', figure: peerBest, unit: 'card packets/s' },
      { what: 'soft module / node:crypto', figure: soft / peerBest, unit: '', goal: { atLeast: 1.2 } },
    ],
  };
}

async function countDecodes(kind: CardKind, { rounds, packets }: typeof SOFT, peer?: () => void): Promise<number> {
  await using card = await startCard({ kind });
  const channel = await card.channel();
  await fillCard(channel);
  const module = await wakeCard(channel);
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const parts = sealCardParts(1 + round * packets, packets);
    collectGarbage();
    const start = performance.now();
    for (const part of parts) await module.decode(part);
    best = Math.max(best, (1000 * packets) / (performance.now() - start));
    peer?.();
  }
  await channel.close();
  return best;
}

/** What DECODE does to a card part, by node:crypto. */
class NodeCryptoPeer {
  readonly #mac = createSecretKey(contentPair.mac);
  readonly #encryption = createSecretKey(contentPair.encryption);
  #used = NO_TICKS;

  perSecond(parts: readonly Uint8Array[]): number {
    collectGarbage();
    const start = performance.now();
    for (const part of parts) {
      requireTag(part, this.#mac);
      const octets = (part[4]! << 16) | (part[5]! << 8) | part[6]!;
      this.#used = addTicks(this.#used, ticksOfOctets(octets, Number(PRICE)));
      if (amountOfTicks(this.#used) > MAXIMUM) throw new RangeError('the purse is empty');
      openSpan(part, this.#encryption);
    }
    return (1000 * parts.length) / (performance.now() - start);
  }
}

/** So that no round pays for what the one before it left behind. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}

const CBC = 'aes-128-cbc';
const ZERO_IV = new Uint8Array(16);

function requireTag(part: Uint8Array, key: KeyObject): void {
  const tagAt = part.length - CARD_TAG;
  const blocks = createCipheriv(CBC, key, ZERO_IV).setAutoPadding(false).update(part.subarray(0, tagAt));
  let difference = 0;
  for (let i = 0; i < CARD_TAG; i++) difference |= blocks[tagAt - 16 + i]! ^ part[tagAt + i]!;
  if (difference !== 0) throw new ForgedError('card part');
}

function openSpan(part: Uint8Array, key: KeyObject): Uint8Array {
  const sealed = part.subarray(CARD_HEADER.length, part.length - CARD_TAG);
  return createDecipheriv(CBC, key, ZERO_IV).setAutoPadding(false).update(sealed);
}
