import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { ticksOf, TICKS_PER_MICRO_UNIT } from '../../../apdu/decode-module/money/tariff.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { CEILINGS, decode, HonestService, load, PRICE } from '../kit/honest-service.ts';
import type { PowerControl } from '../kit/card-under-test.ts';
import type { Lie, Target } from '../kit/target.ts';
import { judged, untried } from '../kit/expect-refusal.ts';

/** 0.3 units a group: each takes a quantum, or two. */
const OCTETS = 1_200_000;
const TICKS = ticksOf({ kind: 'octets', price: PRICE }, OCTETS, 200, false);
const AMOUNT = 1_000_000n;
const MOST_POINTS = 2000;
const NOTHING = new Uint8Array(0);

/** Power taken away in every moment. */
export const tear: Attack = {
  name: 'tear',
  title: 'take the power away, and keep what came out',
  async *run(target) {
    const service = await HonestService.playing(target);
    const player = new Player(target, service);
    yield await betweenCommands(target, player);
    yield await smallGroups(target, player);
    const { power } = target.seat;
    if (power === undefined) {
      yield untried(
        'the power cut inside a command, before every persistent write',
        'nobody can time that from outside this card; simulated cards allow it (--simulate, --card soft)',
      );
      return;
    }
    for (const stage of stages(target, service, player)) yield await cutEverywhere(target, player, power, stage);
  },
};

/** Plays, and keeps count of what came out. */
class Player {
  /** Ticks that the plaintext of this episode is worth. */
  ticks = 0n;
  readonly #target: Target;
  readonly #service: HonestService;
  #group = 0;

  constructor(target: Target, service: HonestService) {
    this.#target = target;
    this.#service = service;
  }

  /** The next group's DECODE. */
  next(octets: number = OCTETS): Lie {
    return decode(this.#service.part(++this.#group, { octets }));
  }

  async play(octets: number = OCTETS): Promise<void> {
    await this.#target.must('DECODE', this.next(octets));
    this.ticks += ticksOf({ kind: 'octets', price: PRICE }, octets, 200, false);
  }

  /** No receipt due, keys loaded, session open. */
  async begin(): Promise<void> {
    this.ticks = 0n;
    await this.#target.module.closeSession();
    await this.#target.collect();
    await this.#service.loadBelow();
    await this.#service.open();
  }
}

/** What may not be after any tear. @param after with no session open. */
async function broken(target: Target, before: PurseStatus, after: PurseStatus, ticks: bigint): Promise<string[]> {
  const wrong: string[] = [];
  const spent = after.spent - before.spent;
  const torn = after.torn - before.torn;
  const group = TICKS / TICKS_PER_MICRO_UNIT;
  if (spent * TICKS_PER_MICRO_UNIT < ticks) wrong.push('plaintext came out that nobody paid');
  if (torn < 0n || torn > CEILINGS.quantum + group) wrong.push('more is torn than a quantum and a group');
  if (ticks - (spent - torn) * TICKS_PER_MICRO_UNIT > (CEILINGS.quantum + group) * TICKS_PER_MICRO_UNIT) {
    wrong.push('a refund of what was torn would pay for more than a quantum and a group');
  }
  let receipted = 0n;
  for (let number = before.receiptsWritten + 1; number <= after.receiptsWritten; number++) {
    const receipt = openReceipt(await target.module.receipt(number), target.keys.receipt);
    receipted += receipt.amount + receipt.torn;
    if (receipt.number !== number) wrong.push('the receipts have a gap');
  }
  if (after.loaded !== before.loaded) wrong.push('credit came from nowhere');
  if (receipted !== spent) wrong.push('the receipts do not account for what was spent');
  return wrong;
}

/** A reset after each command of a session, which is what a host can do to any card. */
async function betweenCommands(target: Target, player: Player): Promise<Attempt> {
  const answers = new Answers();
  const wrong: string[] = [];
  let torn = 0n;
  for (let groups = 0; groups <= 6; groups++) {
    for (const closed of [false, true]) {
      await player.begin();
      const before = await target.purse();
      for (let i = 0; i < groups; i++) await player.play();
      if (closed) await target.module.closeSession();
      await target.reset();
      answers.add(0x9000);
      const after = await target.purse();
      torn += after.torn - before.torn;
      wrong.push(...(await broken(target, before, after, player.ticks)));
      if (closed && after.torn !== before.torn) wrong.push('a closed session was torn');
    }
  }
  const note = `${torn} micro-units of quanta were torn in all, each in a receipt`;
  return judged('a reset after OPEN, after each of six groups, and after CLOSE, then SELECT', answers, wrong, [note], {
    resets: 14,
  });
}

/** A tear for every group, so that each is opened in RAM and forgotten. */
async function smallGroups(target: Target, player: Player): Promise<Attempt> {
  const answers = new Answers();
  const wrong: string[] = [];
  for (let i = 0; i < 8; i++) {
    await player.begin();
    const before = await target.purse();
    await player.play(1000);
    await player.play(1000);
    await target.reset();
    answers.add(0x9000);
    wrong.push(...(await broken(target, before, await target.purse(), player.ticks)));
  }
  const note = 'it costs a quantum each time: who tears on purpose pays more than who does not';
  return judged('two small groups and a reset, then SELECT, again and again', answers, wrong, [note], { resets: 8 });
}

/** A command, and what must be true of it whenever the power went. */
interface Stage {
  readonly name: string;
  /** Makes ready, and gives the command. */
  prepare(): Promise<Lie>;
  /** After the card is back, with its purse before the command. @returns what is wrong. */
  check(lie: Lie, before: PurseStatus): Promise<string[]>;
}

function stages(target: Target, service: HonestService, player: Player): Stage[] {
  const paid = async (_: Lie, before: PurseStatus) => broken(target, before, await target.purse(), player.ticks);
  return [
    {
      name: 'DECODE that takes the first quantum',
      prepare: async () => player.next(),
      check: paid,
    },
    {
      name: 'DECODE that takes another quantum',
      async prepare() {
        await player.play();
        return player.next();
      },
      check: paid,
    },
    {
      name: 'CLOSE SESSION',
      async prepare() {
        await player.play();
        return { ins: INS.CLOSE_SESSION, data: NOTHING };
      },
      check: paid,
    },
    {
      name: 'LOAD CREDIT',
      prepare: async () => ({ ins: INS.LOAD_CREDIT, data: await target.loadOrder(AMOUNT) }),
      async check(lie, before) {
        const loaded = [before.loaded, before.loaded + AMOUNT];
        const wrong = loaded.includes((await target.purse()).loaded) ? [] : ['half of a load is there'];
        for (let i = 0; i < 2; i++) await target.must('the same load again', lie);
        if ((await target.purse()).loaded !== before.loaded + AMOUNT) wrong.push('the load was not loaded just once');
        return wrong;
      },
    },
    {
      name: 'LOAD KEY of a renewal',
      prepare: async () => load(service.purchase()),
      async check(lie) {
        const confirm = openConfirm(await target.must('the same purchase again', lie), target.keys.uplink);
        const kept = (await target.module.listKeys()).filter(({ service: of }) => of === confirm.service);
        return kept.length === 1 ? [] : ['the purchase is there more than once'];
      },
    },
  ];
}

async function cutEverywhere(target: Target, player: Player, power: PowerControl, stage: Stage): Promise<Attempt> {
  const answers = new Answers();
  const wrong: string[] = [];
  let points = 0;
  let fired = true;
  for (let point: number | 'afterLast' = 0; fired && point < MOST_POINTS; point++) {
    fired = await cutOnce(target, player, power, stage, point, wrong, answers);
    if (fired) points++;
  }
  if (await cutOnce(target, player, power, stage, 'afterLast', wrong, answers)) points++;
  const tried = `the power cut in ${stage.name}, before every persistent write and before the answer, then SELECT`;
  return judged(tried, answers, wrong, [`${points} moments`], { 'cut points': points });
}

/** @returns whether the power did fail. */
async function cutOnce(
  target: Target,
  player: Player,
  power: PowerControl,
  stage: Stage,
  point: number | 'afterLast',
  wrong: string[],
  answers: Answers,
): Promise<boolean> {
  await player.begin();
  const before = await target.purse();
  const lie = await stage.prepare();
  await power.cut(point);
  let fired = false;
  try {
    const { status } = await target.send(lie);
    if (status === 0x9000 && lie.ins === INS.DECODE) player.ticks += TICKS;
  } catch (error) {
    if (!(error instanceof CardGoneError)) throw error;
    fired = true;
    await power.insert();
  }
  await target.reset();
  answers.add(0x9000);
  wrong.push(...(await stage.check(lie, before)));
  return fired;
}
