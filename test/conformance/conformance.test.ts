import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLA_MODULE, INS } from '../../apdu/decode-module/instruction.ts';
import { parseModuleData } from '../../apdu/decode-module/module-data.ts';
import { parseSelectAnswer } from '../../apdu/decode-module/select-answer.ts';
import { CARD_KINDS, type CardKind, type ChipFeature, type SimulatedCard, startCard } from '../../card-sim/index.ts';
import { countTally } from '../support/tally.ts';
import { CASES } from './cases/index.ts';
import { type Beginning, BEGINNING_NAMES, type Case, type Step, Tester } from './tester.ts';
import { readVectors, type VectorCase, type VectorFile, writeGiven, writeVectors } from './vectors.ts';

/**
 * Every case on every module, against the same octets. After a case was added or changed, write them anew, from the
 * soft module, and let the others be checked against them:
 *
 *     WRITE_VECTORS=1 npx vitest run test/conformance/conformance.test.ts
 */
const WRITE = process.env['WRITE_VECTORS'] === '1';

const vectors = new Map<string, VectorFile>();

interface CardUnderTest {
  readonly name: string;
  readonly kind: CardKind;
  readonly lacks?: readonly ChipFeature[];
  readonly strict?: boolean;
  readonly t0?: boolean;
  /** All unless told. */
  readonly topics?: readonly string[];
}

/** Where receiving and engines show. */
const RECEIVING = ['commands', 'matrix', 'data-objects', 'receipts', 'channel', 'wrapping', 'decode', 'keys', 'blind'];
/** Where a MAC is made or checked. */
const WITH_MAC = [
  'decode',
  'keys',
  'purse',
  'receipts',
  'load',
  'leave',
  'channel',
  'authentication',
  'put-key',
  'matrix',
];

/** Applets are strict unless told: they throw where the API may throw, and forget engines at deselect. */
const CARDS: readonly CardUnderTest[] = [
  ...CARD_KINDS.map((kind) => ({ name: kind, kind })),
  { name: 'jcardsim, a chip without P-256', kind: 'jcardsim', lacks: ['p256'] },
  { name: 'jcardsim, a chip without AES-CBC-MAC', kind: 'jcardsim', lacks: ['mac'], topics: WITH_MAC },
  { name: 'jcardsim, T=0', kind: 'jcardsim', t0: true, topics: RECEIVING },
  { name: 'jcardsim, lenient', kind: 'jcardsim', strict: false, topics: RECEIVING },
];

/**
 * Topics and cases in which a chip without P-256 answers otherwise, as they send pairs, ask every instruction or name
 * the capabilities; `without-p256.test.ts` says what it answers.
 */
const WITH_P256: readonly string[] = [
  'key-pairs: ',
  'matrix: GENERATE KEY PAIR',
  'matrix: on a logical channel',
  'commands: SELECT answers 51 octets',
  'commands: SELECT shows life, card id and currency',
  'key-fields: a purchase names the currency of the card or none',
  'key-store: of a service key, a segment bought, a private half and seeds',
  'keys: each pair of parent and child',
  'purchases: each pair of parent and child of every kind',
  'same-key: a segment bought by itself and a private half',
];

/** The cases of each topic that a card is asked. */
function casesFor({ lacks = [], topics: asked }: CardUnderTest): (readonly [topic: string, cases: readonly Case[]])[] {
  const topics = Object.entries(CASES).filter(([topic]) => asked?.includes(topic) !== false);
  if (!lacks.includes('p256')) return topics;
  const isAsked = (topic: string, { name }: Case) => !WITH_P256.some((start) => `${topic}: ${name}`.startsWith(start));
  return topics
    .map(([topic, cases]) => [topic, cases.filter((one) => isAsked(topic, one))] as const)
    .filter(([, cases]) => cases.length > 0);
}

/** The steps as a chip answers them that lacks something: SELECT says it (protocol 2.1). */
function expectedOf(steps: readonly Step[] | undefined, lacks: readonly ChipFeature[]): readonly Step[] | undefined {
  if (!lacks.includes('p256')) return steps;
  return steps?.map((step) => {
    if (typeof step === 'string') return step;
    const [command, answer] = step;
    return [command, answer?.replace('8304000003ff', '8304000002ff') ?? null];
  });
}

describe.each(CARDS)('decode module on $name', (underTest) => {
  const { name: where, kind, lacks = [], strict, t0 } = underTest;
  let card: SimulatedCard;
  let tester: Tester;
  let passed = 0;

  beforeAll(async () => {
    card = await startCard({ kind, lacks, strict, t0 });
    tester = new Tester(card);
  });

  afterAll(async () => {
    await tester.close();
    await card.close();
    countTally('conformance', where, passed, 'cases');
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

  describe.each(casesFor(underTest))('%s', (topic, cases) => {
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

    it.each(cases)('$name', async ({ name, from, platform, run }) => {
      const beginning = await tester.begin(from);
      await run(tester);
      if (WRITE && kind === 'soft') {
        written.push({ name, from, ...(platform === true ? { platform } : {}), steps: tester.steps });
      }
      const file = vectors.get(topic)!;
      const vector = file.cases.find((held) => held.name === name);
      expect(vector, 'a new case: write the vectors anew').toBeDefined();
      expect(beginning).toEqual(expectedOf(file.beginnings[from], lacks));
      expect(tester.steps).toEqual(expectedOf(vector?.steps, lacks));
      passed++;
    });
  });
});
