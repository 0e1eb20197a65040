import { expect, it } from 'vitest';
import { countTally } from '../../support/tally.ts';
import { describeFuzz, fuzz } from './fuzz-run.ts';

/** For more: npm run fuzz -- --seconds 600. */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 60);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

it(
  `soft module and applet answer alike for ${SECONDS} s, seed ${SEED}`,
  async () => {
    const result = await fuzz({ seconds: SECONDS, seed: SEED });
    const words = describeFuzz(result);
    console.log(words);
    countTally('fuzz', 'soft against jcardsim', result.commands, 'commands');
    expect(result.divergence, `both must say the same:\n${words}`).toBeUndefined();
    expect(result.commands).toBeGreaterThan(1000);
    // Fuzz that is refused throughout shows nothing.
    expect(result.instructions['DECODE']!.done).toBeGreaterThan(10);
    expect(result.instructions['LOAD_CREDIT']!.done).toBeGreaterThan(1);
  },
  SECONDS * 1000 + 180_000,
);
