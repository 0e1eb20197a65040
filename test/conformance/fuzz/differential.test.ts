import { expect, it } from 'vitest';
import { countTally } from '../../support/tally.ts';
import { describeFuzz, fuzz } from './fuzz-run.ts';

/** For more: npm run fuzz -- --seconds 600. */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 60);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

it.each([
  { chip: 'a buffer of 261 octets', seconds: Math.ceil(SECONDS / 2), opened: 10 },
  // Spans above 80 octets are refused.
  {
    chip: 'a buffer of 133 octets and no AES-CBC-MAC',
    apduBuffer: 133,
    lacks: ['mac'] as const,
    seconds: Math.floor(SECONDS / 2),
    opened: 5,
  },
])(
  `soft module and applet on a strict chip with $chip answer alike for $seconds s, seed ${SEED}`,
  async ({ apduBuffer, lacks, seconds, opened }) => {
    const result = await fuzz({ seconds, seed: SEED, apduBuffer, lacks });
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
