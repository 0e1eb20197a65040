import { describe, expect, it } from 'vitest';
import { INS } from '../../apdu/decode-module/instruction.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { fromHex } from '../../apdu/octets.ts';
import { ROWS } from './cases/card/matrix.ts';
import { CASES } from './cases/index.ts';
import type { Step } from './tester.ts';
import { readVectors } from './vectors.ts';

/** Every command that the vectors answer, with its answer. */
const ANSWERED = Object.keys(CASES).flatMap((topic) =>
  readVectors(topic).cases.flatMap(({ steps }) =>
    steps.flatMap((step) =>
      typeof step === 'string' || step[1] === null
        ? []
        : [{ command: fromHex(step[0]), status: Number.parseInt(step[1].slice(-4), 16) }],
    ),
  ),
);

const { unique, service, segment, content, blind, seeds, node, servicePair, slot } = KIND;
/** protocol.md 4.1, every parent that there is but a card's own pair: that is in key-pairs.test.ts. */
const MAY_CARRY: ReadonlyMap<number, readonly number[]> = new Map<number, readonly number[]>([
  [unique, [service, segment, seeds, node, servicePair]],
  [service, [segment, content, blind]],
  [segment, [content, blind]],
  [content, []],
  [blind, []],
  [node, [node]],
  [servicePair, [segment, content, blind]],
  [slot, [content, blind]],
]);
const CHILDREN = [service, segment, content, blind, seeds, node, servicePair];
const PAIRS = [...MAY_CARRY].flatMap(([parent, children]) =>
  // Seeds with an ephemeral point are 304 octets: no short command holds them.
  CHILDREN.filter((child) => child !== seeds || parent !== servicePair).map((child) => {
    const allowed = children.includes(child);
    return { parent: formatHex(parent), child: formatHex(child), says: allowed ? 'loads' : 'is refused', allowed };
  }),
);

/**
 * Whether the platform answers a step: its lengths do not agree, or the module is not selected, or not on the logical
 * channel of its class.
 */
function hasPlatformAnswer(steps: readonly Step[]): boolean {
  // Every case begins with the module selected on the basic channel.
  let selectedOn: number | undefined = 0;
  return steps.some((step) => {
    if (typeof step === 'string') {
      if (step === 'reset') selectedOn = undefined;
      return false;
    }
    if (step[1] === null) {
      selectedOn = undefined;
      return false;
    }
    const command = fromHex(step[0]);
    const [cla = 0, ins] = command;
    const lc = command[4] ?? 0;
    const agrees = command.length <= 5 || (lc > 0 && [5 + lc, 6 + lc].includes(command.length));
    if (agrees && ins === INS.SELECT && selectedOn === undefined && step[1].endsWith('9000')) selectedOn = cla & 0x03;
    return !agrees || selectedOn === undefined || (cla & 0x40) !== 0 || (cla & 0x03) !== selectedOn;
  });
}

function formatHex(octet: number): string {
  return octet.toString(16).padStart(2, '0');
}

describe('what the conformance cases cover', () => {
  it('every instruction, in the matrix of classes, P1 P2, lengths and life states', () => {
    const inMatrix = new Set(ROWS.map(({ ins }) => ins));
    expect([...inMatrix].toSorted((a, b) => a - b)).toEqual(Object.values(INS).toSorted((a, b) => a - b));
  });

  it('the cases in which the platform answers are marked', () => {
    for (const [topic, cases] of Object.entries(CASES)) {
      const { cases: vectors } = readVectors(topic);
      for (const { name, platform = false } of cases) {
        const steps = vectors.find((held) => held.name === name)?.steps ?? [];
        expect({ topic, name, platform }).toEqual({ topic, name, platform: hasPlatformAnswer(steps) });
      }
    }
  });

  it('a card with an APDU buffer of 133 octets is spared only what it cannot do', () => {
    const isLong = (steps: readonly Step[]): boolean =>
      steps.some((step) => {
        if (typeof step === 'string') return false;
        const command = fromHex(step[0]);
        const list = command[1] === INS.LIST_KEYS || command[1] === INS.GET_RESPONSE;
        const isSelect = command[1] === INS.SELECT && step[1]?.endsWith('9000') === true;
        return (command.length > 5 && command[4]! > 127) || isSelect || (list && (step[1]?.length ?? 0) / 2 > 122);
      });
    const spared = Object.entries(CASES).flatMap(([topic, cases]) => {
      const vectors = readVectors(topic).cases;
      return cases
        .filter(({ long }) => long === true)
        .map(({ name }) => ({ name, needed: isLong(vectors.find((vector) => vector.name === name)!.steps) }));
    });
    expect(spared.filter(({ needed }) => !needed)).toEqual([]);
    expect(spared).toHaveLength(60);
  });

  it('every status word of the page', () => {
    const said = new Set(ANSWERED.map(({ status }) => status));
    const own = [0x6300, 0x63c0, 0x63c1, 0x63c2];
    expect([...Object.values(STATUS), ...own].filter((status) => !said.has(status)).map(formatHex)).toEqual([]);
    // A list that goes on.
    expect([...said].some((status) => status >> 8 === 0x61)).toBe(true);
    const known = new Set<number>([...Object.values(STATUS), ...own]);
    expect([...said].filter((status) => !known.has(status) && status >> 8 !== 0x61).map(formatHex)).toEqual([]);
  });

  it.each(PAIRS)('kind $child under $parent $says, under a right tag', ({ parent, child, allowed }) => {
    const answers = ANSWERED.filter(({ command }) => {
      const [cla, ins] = command;
      return cla === 0x80 && ins === INS.LOAD_KEY && command.length > 5 + 56;
    })
      .filter(({ command }) => formatHex(command[5]!) === child && formatHex(command[5 + 24]!) === parent)
      .map(({ status }) => status);
    expect(answers).toContain(allowed ? STATUS.DONE : STATUS.WRONG_PARENT);
    // A wrong tag is told first.
    expect(answers).toContain(STATUS.CRYPTO);
    if (!allowed) expect(answers).not.toContain(STATUS.DONE);
  });
});
