import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLA_MODULE, INS } from '../../apdu/decode-module/instruction.ts';
import { parseModuleData } from '../../apdu/decode-module/module-data.ts';
import { parseSelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { CARD_KINDS, type SimulatedCard, startCard } from '../../card-sim/index.ts';
import { countTally } from '../support/tally.ts';
import { CASES } from './cases/index.ts';
import { type Beginning, BEGINNING_NAMES, type Step, Tester } from './tester.ts';
import { readVectors, type VectorCase, type VectorFile, writeGiven, writeVectors } from './vectors.ts';

/**
 * Every case on every module, against the same octets. After a case was added or changed, write them anew, from the soft module, and let the
 * others be checked against them:
 *
 *     WRITE_VECTORS=1 npx vitest run test/conformance/conformance.test.ts
 */
const WRITE = process.env['WRITE_VECTORS'] === '1';

const vectors = new Map<string, VectorFile>();

describe.each(CARD_KINDS)('decode module on %s', (kind) => {
  let card: SimulatedCard;
  let tester: Tester;
  let passed = 0;

  beforeAll(async () => {
    card = await startCard({ kind });
    tester = new Tester(card);
  });

  afterAll(async () => {
    await tester.close();
    await card.close();
    countTally('conformance', kind, passed, 'cases');
  });

  // No vector: free memory is each module's own.
  it('GET DATA 0100 says what SELECT says', async () => {
    await tester.begin('blank');
    const answer = await tester.command({ cla: CLA_MODULE, ins: INS.GET_DATA, p1: 1, p2: 0, le: 256 });
    const { capabilities, maxSpan, maxCommandData } = parseModuleData(answer);
    const select = parseSelectAnswer(await tester.select());
    expect({ capabilities, maxSpan, maxCommandData }).toEqual({
      capabilities: select.capabilities,
      maxSpan: select.maxSpan,
      maxCommandData: select.maxCommandData,
    });
  });

  describe.each(Object.entries(CASES))('%s', (topic, cases) => {
    const written: VectorCase[] = [];

    beforeAll(async () => {
      if (WRITE && kind === 'soft') {
        const beginnings = {} as Record<Beginning, readonly Step[]>;
        for (const name of BEGINNING_NAMES) beginnings[name] = await tester.begin(name);
        vectors.set(topic, { about: [], beginnings, cases: written });
      } else if (!vectors.has(topic)) {
        vectors.set(topic, readVectors(topic));
      }
    });

    afterAll(() => {
      if (!WRITE || kind !== 'soft') return;
      writeVectors(topic, vectors.get(topic)!);
      writeGiven();
    });

    it.each(cases)('$name', async ({ name, from, run }) => {
      const beginning = await tester.begin(from);
      await run(tester);
      if (WRITE && kind === 'soft') written.push({ name, from, steps: tester.steps });
      const file = vectors.get(topic)!;
      const vector = file.cases.find((held) => held.name === name);
      expect(vector, 'a new case: write the vectors anew').toBeDefined();
      expect(beginning).toEqual(file.beginnings[from]);
      expect(tester.steps).toEqual(vector?.steps);
      passed++;
    });
  });
});
