import { describe, expect, vi } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { parseLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { CARD_KINDS, type SimulatedCard } from '../../../card-sim/index.ts';
import { cardTest } from '../../../card-sim/vitest.ts';
import {
  CARD_KEYS,
  sealPart,
  sealContent,
  END,
  KEYS,
  signOrder,
  PROFILE,
  SECOND_SSRC,
  sealSegment,
  SERVICE,
  sealService,
  SSRC,
  START,
  type TermOptions,
} from '../../conformance/messages/messages.ts';
import { activate } from '../../support/cards/activate.ts';

/** 20 USD, in micro-units. */
const CREDIT = 20_000_000n;
const CUTS = 20;

interface Sum {
  readonly name: string;
  readonly terms: TermOptions;
  /** Groups of this much. */
  readonly octets: number;
  readonly duration: number;
  readonly groups: number;
  readonly price: bigint;
  /** What rounding up at each settlement may add: a group that is no whole number of micro-units. */
  readonly rounding: bigint;
}

const BY_OCTETS: TermOptions = { kind: 'octets', price: 250_000n };
const BY_TIME: TermOptions = { kind: 'duration', price: 5_000_000n };
const SUMS: readonly Sum[] = [
  {
    name: '25,000,000 octets at 0.25 USD/MB cost 6.25 USD',
    terms: BY_OCTETS,
    octets: 20_000,
    duration: 200,
    groups: 1250,
    price: 6_250_000n,
    rounding: 0n,
  },
  {
    name: '30 minutes at 5.00 USD/h cost 2.50 USD',
    terms: BY_TIME,
    octets: 20_000,
    duration: 720,
    groups: 2500,
    price: 2_500_000n,
    rounding: 0n,
  },
  {
    name: '30 minutes at 5.010001 USD/h cost 2.5050005 USD, and less than a micro-unit for each settlement',
    terms: { kind: 'duration', price: 5_010_001n },
    octets: 20_000,
    duration: 900,
    groups: 2000,
    price: 2_505_001n,
    rounding: BigInt(CUTS),
  },
];

/** A viewer whose power fails, and who goes on where the card left off. */
class Viewer {
  module!: DecodeModule;
  readonly #card: SimulatedCard;
  readonly #contents: readonly Uint8Array[];
  #channel!: CardChannel;

  constructor(card: SimulatedCard, ...contents: Uint8Array[]) {
    this.#card = card;
    this.#contents = contents;
  }

  async begin(): Promise<void> {
    this.#channel = await this.#card.channel();
    const module = new DecodeModule(this.#channel);
    await module.select();
    await activate(this.#channel, PROFILE, KEYS);
    await module.loadCredit(signOrder(1, CREDIT));
    await module.loadKey(sealService(1));
    await this.resume();
  }

  /** The keys of RAM, and a session. */
  async resume(): Promise<void> {
    this.module = new DecodeModule(this.#channel);
    await this.module.select();
    await this.module.loadKey(sealSegment());
    for (const content of this.#contents) await this.module.loadKey(content);
    await this.module.openSession(SERVICE);
  }

  /** The power fails: between two commands, in one before it writes, or in one that has done all but answer. */
  async cut(nth: number, part: Uint8Array): Promise<void> {
    if (nth % 4 === 0) await this.#card.reset();
    else if (nth % 4 === 1) {
      await this.#card.pull();
      await expect(this.module.decode(part)).rejects.toThrow(CardGoneError);
      await this.#reinsert();
    } else {
      await this.#card.cut(nth % 4 === 2 ? 0 : 'afterLast');
      await expect(this.module.decode(part)).rejects.toThrow(CardGoneError);
      await this.#reinsert();
    }
    await this.resume();
  }

  async #reinsert(): Promise<void> {
    await this.#channel.close();
    await this.#card.insert();
    this.#channel = await this.#card.channel();
  }

  /** Gives back what is torn, as the issuer does with the next load. @returns what was given back now. */
  async refund(before: bigint): Promise<bigint> {
    const { number, torn } = parseLoadRequest(await this.module.startLoad());
    const amount = torn - before;
    if (amount > 0n) await this.module.loadCredit(signOrder(number + 1, amount));
    return amount;
  }

  /** The highest group that the record knows: later ones were lost with the session, or not opened. */
  async mark(): Promise<number> {
    const { marks } = await this.module.getLog(0);
    return marks.find(({ ssrc }) => ssrc === SSRC)?.group ?? 0;
  }

  async close(): Promise<void> {
    await this.#channel.close();
  }
}

// Twenty times a reader has to see that its card was changed.
vi.setConfig({ testTimeout: 120_000 });

describe.for(CARD_KINDS)('what a card charges (%s)', (kind) => {
  const test = cardTest(kind);

  test.for(SUMS)('$name, exactly, also with 20 power cuts in between', async (sum, { card }) => {
    const { terms, octets, duration, groups, price, rounding } = sum;
    const viewer = new Viewer(card, sealContent(terms));
    await viewer.begin();
    const part = (group: number): Uint8Array => sealPart(group, { octets, duration, mediaTime: START + (group >> 2) });
    let refunded = 0n;
    let cuts = 0;
    let lost = 0;
    for (let group = 1; group <= groups;) {
      // Unevenly spread, so that some fall on a take and most do not.
      if (cuts < CUTS && group > ((cuts + 1) * groups) / (CUTS + 1.7)) {
        await viewer.cut(cuts++, part(group));
        refunded += await viewer.refund(refunded);
        const next = (await viewer.mark()) + 1;
        lost += group - next;
        // What the record knows of, it does not give again; the rest is opened anew, and paid once.
        if (next > 1) await expect(viewer.module.decode(part(next - 1))).rejects.toMatchObject({ code: 'OLD_GROUP' });
        group = next;
        continue;
      }
      await viewer.module.decode(part(group++));
    }
    await viewer.module.closeSession();
    refunded += await viewer.refund(refunded);

    expect(cuts).toBe(CUTS);
    expect(lost).toBeGreaterThan(CUTS);
    const { loaded, balance, torn, receiptsWritten } = await viewer.module.getPurse();
    expect({ torn, loaded }).toEqual({ torn: refunded, loaded: CREDIT + refunded });
    const paid = CREDIT - balance;
    expect(paid >= price && paid <= price + rounding, `${paid} instead of ${price}`).toBe(true);
    let amounts = 0n;
    let opened = 0;
    for (let number = 1; number <= receiptsWritten; number++) {
      const receipt = openReceipt(await viewer.module.getReceipt(number), CARD_KEYS.receipt);
      amounts += receipt.amount;
      opened += receipt.groups;
    }
    expect({ amounts, opened }).toEqual({ amounts: paid, opened: groups });
    await viewer.close();
  });

  test('two streams of one session are charged once by time: one of them carries the durations', async ({ card }) => {
    const viewer = new Viewer(card, sealContent(BY_TIME));
    await viewer.begin();
    for (let group = 1; group <= 100; group++) {
      await viewer.module.decode(sealPart(group, { duration: 720 }));
      await viewer.module.decode(sealPart(group, { duration: 0, ssrc: SECOND_SSRC }));
    }
    const receipt = await viewer.module.closeSession();
    expect(receipt).toBeDefined();
    expect(openReceipt(await viewer.module.getReceipt(1), CARD_KEYS.receipt)).toMatchObject({
      amount: 100_000n,
      duration: 72_000,
      groups: 200,
    });
    await viewer.close();
  });

  test('a new price begins with its segment, and one receipt has both', async ({ card }) => {
    const change = START + 3600;
    const first = sealContent({ ...BY_OCTETS, segmentId: 1 }, { keyId: 1, to: change });
    const second = sealContent(
      { kind: 'octets', price: 1_000_000n, segmentId: 2 },
      { keyId: 2, from: change, to: END },
    );
    const viewer = new Viewer(card, first, second);
    await viewer.begin();
    const part = (group: number, contentKeyId: number, mediaTime: number): Uint8Array =>
      sealPart(group, { contentKeyId, mediaTime, octets: 100_000 });
    await viewer.module.decode(part(1, 1, change - 1));
    await expect(viewer.module.decode(part(2, 1, change))).rejects.toMatchObject({ code: 'OUTSIDE_VALIDITY' });
    await expect(viewer.module.decode(part(2, 2, change - 1))).rejects.toMatchObject({ code: 'OUTSIDE_VALIDITY' });
    await viewer.module.decode(part(2, 2, change));
    await viewer.module.closeSession();
    expect(openReceipt(await viewer.module.getReceipt(1), CARD_KEYS.receipt)).toMatchObject({
      amount: 125_000n,
      firstSegment: 1,
      lastSegment: 2,
      from: change - 1,
      to: change,
    });
    await viewer.close();
  });
});
