import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import {
  KEYS,
  MAXIMUM,
  PROFILE,
  sealContent,
  sealPart,
  sealSegment,
  sealService,
  SERVICE,
  signAcknowledgementUpTo,
  signOrder,
} from '../../conformance/messages/messages.ts';
import { activate } from '../cards/activate.ts';

/** A megabyte at a micro-unit a megabyte, taken one at a time: each group costs exactly one micro-unit. */
const GROUP_OCTETS = 1_000_000;
const PRICE = 1n;

export interface UnplugOptions {
  readonly unplugs: number;
  /** Plugs the token in and opens it. */
  readonly plugIn: () => Promise<CardChannel>;
  /** Pulls it, in mid-command. @param turn counted from 0. */
  readonly unplug: (turn: number) => Promise<void>;
}

/** What came of it, in groups and in micro-units, which are the same here. */
export interface UnplugOutcome {
  /** Groups that the card opened for its host. */
  readonly answered: number;
  /** Pulls that came between a group and its answer. */
  readonly cutOff: number;
  /** Different groups that were asked for, whatever became of them. */
  readonly groups: number;
  readonly spent: number;
  /** What of it the card itemises as torn. */
  readonly torn: number;
  /** Turns in which the purse went down by more or less than the groups of that turn, and errors of another kind. */
  readonly wrong: readonly string[];
}

/** Makes a blank card active, with a full purse. */
export async function fillPurse(channel: CardChannel): Promise<void> {
  const module = new DecodeModule(channel);
  await module.select();
  await activate(channel, PROFILE, KEYS);
  await module.startLoad();
  await module.loadCredit(signOrder(1, MAXIMUM));
  await module.loadKey(sealService(1, { quantum: PRICE }));
}

/**
 * Plays with a card that is pulled again and again between a group and its answer. Its host does the worst that it may:
 * it asks for the group whose answer was lost once more.
 * @param options of a token whose card {@link fillPurse} has filled.
 */
export async function chargeThroughUnplugs({ unplugs, plugIn, unplug }: UnplugOptions): Promise<UnplugOutcome> {
  const wrong: string[] = [];
  let answered = 0;
  let cutOff = 0;
  let group = 1;
  let before = 0n;
  let inTurn = { answered: 0n, mayBe: 0n };
  const wake = async () => {
    const channel = await plugIn();
    const module = new DecodeModule(channel);
    await module.select();
    const purse = await module.getPurse();
    const charged = purse.spent - before;
    before = purse.spent;
    if (charged < inTurn.answered || charged > inTurn.answered + inTurn.mayBe) {
      wrong.push(`${charged} charged, ${inTurn.answered} answered, ${inTurn.mayBe} without an answer`);
    }
    return { channel, module, purse };
  };
  for (let turn = 0; turn < unplugs; turn++) {
    const { channel, module, purse } = await wake();
    inTurn = { answered: 0n, mayBe: 0n };
    await module.acknowledgeReceipts(signAcknowledgementUpTo(purse.receiptsWritten));
    await module.loadKey(sealSegment());
    await module.loadKey(sealContent({ price: PRICE }));
    await module.openSession(SERVICE);
    const pulled = unplug(turn);
    try {
      for (;;) {
        inTurn.mayBe = 1n;
        await module.decode(sealPart(group, { octets: GROUP_OCTETS, spanBlocks: 4 }));
        inTurn = { answered: inTurn.answered + 1n, mayBe: 0n };
        group++;
      }
    } catch (error) {
      if (error instanceof CardGoneError) cutOff++;
      else wrong.push(String(error));
    }
    answered += Number(inTurn.answered);
    await pulled;
    await channel.close();
  }
  const { channel, purse } = await wake();
  await channel.close();
  return { answered, cutOff, groups: group, spent: Number(purse.spent), torn: Number(purse.torn), wrong };
}
