import { expect, it } from 'vitest';
import { CardGoneError } from '../../apdu/errors.ts';
import { fromHex, toHex } from '../../apdu/octets.ts';
import { startCard } from '../../card-sim/index.ts';
import { CASES } from './cases/index.ts';
import { readVectors } from './vectors.ts';

it.each(Object.keys(CASES))('the vectors of %s need nothing but what the file says', async (topic) => {
  const { beginnings, cases } = readVectors(topic);
  expect(cases.map(({ name }) => name)).toEqual(CASES[topic]?.map(({ name }) => name));
  for (const { name, from, steps } of cases) {
    await using card = await startCard({ kind: 'soft' });
    let channel = await card.channel();
    for (const step of [...beginnings[from], ...steps]) {
      if (step === 'reset') await card.reset();
      else if (step === 'cut before') await card.cut(0);
      else if (step === 'cut after') await card.cut('afterLast');
      else if (step[1] === null) {
        await expect(channel.transmit(fromHex(step[0]))).rejects.toThrow(CardGoneError);
        await card.insert();
        channel = await card.channel();
      } else {
        const answer = toHex(await channel.transmit(fromHex(step[0])));
        expect([name, step[0], answer]).toEqual([name, ...step]);
      }
    }
  }
});
