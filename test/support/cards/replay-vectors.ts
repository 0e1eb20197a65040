import assert from 'node:assert/strict';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { CardGoneError, TransportError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { CASES } from '../../conformance/cases/index.ts';
import { readVectors } from '../../conformance/vectors.ts';

/** Octets of a short command; a token need not take longer ones (tokens.md 2). */
const MAX_COMMAND = 261;
const MIN_COMMAND = 4;

export interface ReplayOptions {
  /** The card, as a hand has it; it is erased before every case. */
  readonly card: SimulatedCard;
  /** Opens it through what is under test. */
  readonly open: () => Promise<CardChannel>;
  /** All when left out. */
  readonly topics?: readonly string[] | undefined;
}

/**
 * Sends the conformance vectors to a card through a transport for short commands, and compares octet by octet.
 * @returns cases that passed; those with longer commands are left out.
 * @throws AssertionError for an answer that is not that of the vectors.
 */
export async function replayVectors({ card, open, topics = Object.keys(CASES) }: ReplayOptions): Promise<number> {
  let passed = 0;
  for (const topic of topics) {
    const { beginnings, cases } = readVectors(topic);
    for (const { name, from, steps } of cases) {
      const all = [...beginnings[from], ...steps];
      if (all.some((step) => typeof step !== 'string' && step[0].length > 2 * MAX_COMMAND)) continue;
      await card.erase();
      let channel = await open();
      for (const step of all) {
        if (step === 'reset') await card.reset();
        else if (step === 'cut before') await card.cut(0);
        else if (step === 'cut after') await card.cut('afterLast');
        else if (step[1] === null) {
          await assert.rejects(channel.transmit(fromHex(step[0])), CardGoneError);
          await channel.close();
          await card.insert();
          channel = await open();
        } else if (step[0].length < 2 * MIN_COMMAND) {
          await assert.rejects(channel.transmit(fromHex(step[0])), TransportError);
        } else {
          const answer = toHex(await channel.transmit(fromHex(step[0])));
          assert.deepEqual([topic, name, step[0], answer], [topic, name, ...step]);
        }
      }
      await channel.close();
      passed++;
    }
  }
  return passed;
}
