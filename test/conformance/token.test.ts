import { afterAll, expect, it } from 'vitest';
import { CardGoneError } from '../../apdu/errors.ts';
import { fromHex, toHex } from '../../apdu/octets.ts';
import { startCard } from '../../card-sim/index.ts';
import { systemClock } from '../../host/clock/clock.ts';
import { MemoryToken } from '../support/memory-token.ts';
import { countTally } from '../support/tally.ts';
import { CASES } from './cases/index.ts';
import { readVectors } from './vectors.ts';

/** Octets of a short command; a token need not take longer ones (tokens.md 2). */
const MAX_COMMAND = 261;

let passed = 0;

afterAll(() => countTally('conformance', 'soft, in a token without a wire', passed, 'cases'));

it.each(Object.keys(CASES))('a card answers through frames as without them: %s', async (topic) => {
  const { beginnings, cases } = readVectors(topic);
  for (const { name, from, steps } of cases) {
    const all = [...beginnings[from], ...steps];
    if (all.some((step) => typeof step !== 'string' && step[0].length > 2 * MAX_COMMAND)) continue;
    await using card = await startCard({ kind: 'soft' });
    const token = new MemoryToken(card, systemClock);
    let channel = await token.open();
    for (const step of all) {
      if (step === 'reset') await card.reset();
      else if (step === 'cut before') await card.cut(0);
      else if (step === 'cut after') await card.cut('afterLast');
      else if (step[1] === null) {
        await expect(channel.transmit(fromHex(step[0]))).rejects.toThrow(CardGoneError);
        await card.insert();
        channel = await token.open();
      } else if (step[0].length < 8) {
        // A command without a whole header does not reach the card.
        await expect(channel.transmit(fromHex(step[0]))).rejects.toThrow(/4 to 261 octets/);
      } else {
        expect([name, step[0], toHex(await channel.transmit(fromHex(step[0])))]).toEqual([name, ...step]);
      }
    }
    passed++;
  }
});
