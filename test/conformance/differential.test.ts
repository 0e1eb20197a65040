import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CardChannel } from '../../apdu/card-channel.ts';
import { CardGoneError } from '../../apdu/errors.ts';
import { toHex } from '../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../card-sim/index.ts';
import { type Action, life } from './fuzz-actions.ts';
import { commandOf } from './fuzz-commands.ts';

/** For more: FUZZ_SECONDS=600 npx vitest run test/conformance/differential.test.ts; to see one again: FUZZ_SEED=... */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 20);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

/** A card, and what it says. */
class Side {
  readonly #card: SimulatedCard;
  #channel: CardChannel | undefined;

  constructor(card: SimulatedCard) {
    this.#card = card;
  }

  async renew(): Promise<void> {
    await this.#card.erase();
    this.#channel ??= await this.#card.channel();
  }

  /** The answer, or `reset` or `cut` for the hand. */
  async act(what: Action, position: number): Promise<string> {
    switch (what.do) {
      case 'reset':
        await this.#card.reset();
        return 'reset';
      case 'cut before':
      case 'cut after':
        await this.#card.cut(what.do === 'cut before' ? 0 : 'afterLast');
        await expect(this.#channel!.transmit(commandOf({ do: 'close' }, position))).rejects.toThrow(CardGoneError);
        await this.#channel!.close();
        await this.#card.insert();
        this.#channel = await this.#card.channel();
        return 'cut';
      default:
        return toHex(await this.#channel!.transmit(commandOf(what, position)));
    }
  }

  async close(): Promise<void> {
    await this.#channel?.close();
    await this.#card.close();
  }
}

describe('soft module and applet', () => {
  let soft: Side;
  let applet: Side;

  beforeAll(async () => {
    soft = new Side(await startCard({ kind: 'soft' }));
    applet = new Side(await startCard({ kind: 'jcardsim' }));
  });

  afterAll(async () => {
    await soft.close();
    await applet.close();
  });

  it(
    `answer alike for ${SECONDS} s, seed ${SEED}`,
    async () => {
      const answers = new Map<string, number>();
      let lives = 0;
      let commands = 0;
      await fc.assert(
        fc.asyncProperty(life, async (actions) => {
          await soft.renew();
          await applet.renew();
          lives++;
          for (const [position, what] of actions.entries()) {
            const right = await soft.act(what, position);
            const answer = await applet.act(what, position);
            if (answer !== right) expect({ position, what, answer }).toEqual({ position, what, answer: right });
            commands++;
            const word = right === 'cut' || right === 'reset' ? right : right.slice(-4);
            answers.set(word, (answers.get(word) ?? 0) + 1);
          }
        }),
        { seed: SEED, numRuns: 2 ** 31 - 1, plugins: [fc.interruptAfterTimeLimit(SECONDS * 1000)] },
      );
      const words = [...answers].toSorted(([, a], [, b]) => b - a).map(([word, count]) => `${word} ${count}`);
      console.log(`seed ${SEED}: ${lives} cards, ${commands} commands, answered alike: ${words.join(', ')}`);
      expect(answers.has('6f00')).toBe(false);
      expect(commands).toBeGreaterThan(1000);
    },
    SECONDS * 1000 + 60_000,
  );
});
