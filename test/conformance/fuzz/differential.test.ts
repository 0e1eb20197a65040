import { expect, it } from 'vitest';
import { countTally } from '../../support/tally.ts';
import { describeFuzz, fuzz } from './fuzz-run.ts';

/** For more: npm run fuzz -- --seconds 600. */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 60);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

it.each([
  { apduBuffer: 261, seconds: Math.ceil(SECONDS / 2), opened: 10 },
  // Spans above 80 octets are refused.
  { apduBuffer: 133, seconds: Math.floor(SECONDS / 2), opened: 5 },
])(
  `soft module and applet with a buffer of $apduBuffer octets answer alike for $seconds s, seed ${SEED}`,
  async ({ apduBuffer, seconds, opened }) => {
    const result = await fuzz({ seconds, seed: SEED, apduBuffer });
    const words = describeFuzz(result);
    console.log(words);
    countTally('fuzz', 'soft against jcardsim', result.commands, 'commands');
    expect(result.divergence, `both must say the same:\n${words}`).toBeUndefined();
    expect(result.commands).toBeGreaterThan(1000);
    // Fuzz that is refused throughout shows nothing.
    expect(result.instructions['DECODE']!.done).toBeGreaterThan(opened);
    expect(result.instructions['LOAD_CREDIT']!.done).toBeGreaterThan(1);
  },
  SECONDS * 1000 + 180_000,
);
