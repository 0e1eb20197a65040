import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const FUZZ = fileURLToPath(new URL('../../conformance/fuzz/fuzz.ts', import.meta.url));

describe('npm run fuzz', () => {
  it('says in one line of JSON what was asked and answered', async () => {
    const { stdout } = await run(process.execPath, [FUZZ, '--seconds', '2', '--seed', '7', '--json']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    const result = JSON.parse(stdout) as Record<string, unknown>;
    expect(result).toMatchObject({ seed: 7, words: { '9000': expect.any(Number) as number } });
    expect(result['commands']).toBeGreaterThan(100);
    expect(result).not.toHaveProperty('divergence');
  });

  it('plays one life again by seed and path', async () => {
    const { stdout } = await run(process.execPath, [FUZZ, '--seed', '7', '--path', '3', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ seed: 7, cards: 1 });
  });

  it.each([
    [['--seconds', 'long'], '"long" does not fit; write a whole number from 1 to 1000000'],
    [['--path', '1:2'], 'a path means nothing without its seed; give --seed as well'],
    [['--seed', '1', '--path', 'a'], '"a" is not a path; copy it as the fuzzer printed it, like 17:3:0'],
  ])('%s is refused with what to do', async (options, says) => {
    await expect(run(process.execPath, [FUZZ, ...options])).rejects.toMatchObject({
      code: 1,
      stderr: `fuzz: ${says}\n`,
    });
  });
});
