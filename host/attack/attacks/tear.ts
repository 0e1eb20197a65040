import { INS } from '../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { ticksOf, TICKS_PER_MICRO_UNIT } from '../../../apdu/decode-module/money/tariff.ts';
import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import type { PowerControl } from '../kit/card-under-test.ts';
import { judge, reportNotTried } from '../kit/expect-refusal.ts';
import { CEILINGS, decodePart, HonestService, loadKey, PRICE } from '../kit/honest-service.ts';
import type { ModuleCommand, Target } from '../kit/target.ts';

/** A group costs 0.3 units, so that each takes one quantum or two. */
const OCTETS = 1_200_000;
const TICKS = ticksOf({ kind: 'octets', price: PRICE }, OCTETS, 200, false);
const AMOUNT = 1_000_000n;
const MAX_CUT_POINTS = 2000;
const NO_DATA = new Uint8Array(0);

/** The host takes the power away at every moment. */
export const tear: Attack = {
  name: 'tear',
  title: 'take the power away and keep the plaintext',
  async *run(target) {
    const service = await HonestService.start(target);
    const player = new Player(target, service);
    yield await resetBetweenCommands(target, player);
    yield await tearSmallGroups(target, player);
    const { power } = target.card;
    if (power === undefined) {
      yield reportNotTried(
        'the power cut inside a command, before every persistent write',
        'nobody can time that from outside this card; simulated cards allow it (--simulate, --card soft)',
      );
      return;
    }
    for (const stage of listStages(target, service, player)) yield await cutEverywhere(target, player, power, stage);
  },
};

/** Plays groups and counts what their plaintext is worth. */
class Player {
  /** Ticks that the plaintext since `begin` is worth. */
  ticks = 0n;
  readonly #target: Target;
  readonly #service: HonestService;
  #group = 0;

  constructor(target: Target, service: HonestService) {
    this.#target = target;
    this.#service = service;
  }

  /** Returns the DECODE of the next group. */
  nextDecode(octets: number = OCTETS): ModuleCommand {
    return decodePart(this.#service.sealPart(++this.#group, { octets }));
  }

  async play(octets: number = OCTETS): Promise<void> {
    await this.#target.mustSucceed('DECODE', this.nextDecode(octets));
    this.ticks += ticksOf({ kind: 'octets', price: PRICE }, octets, 200, false);
  }

  /** Acknowledges receipts, loads the keys and opens a session. */
  async begin(): Promise<void> {
    this.ticks = 0n;
    await this.#target.module.closeSession();
    await this.#target.acknowledgeReceipts();
    await this.#service.loadSegmentAndContent();
    await this.#service.openSession();
  }
}

/** Lists what no tear may lead to. @param after the purse with no session open. */
async function findBreaches(target: Target, before: PurseStatus, after: PurseStatus, ticks: bigint): Promise<string[]> {
  const breaches: string[] = [];
  const spent = after.spent - before.spent;
  const torn = after.torn - before.torn;
  const group = TICKS / TICKS_PER_MICRO_UNIT;
  if (spent * TICKS_PER_MICRO_UNIT < ticks) breaches.push('plaintext came out that nobody paid');
  if (torn < 0n || torn > CEILINGS.quantum + group) breaches.push('more is torn than a quantum and a group');
  if (ticks - (spent - torn) * TICKS_PER_MICRO_UNIT > (CEILINGS.quantum + group) * TICKS_PER_MICRO_UNIT) {
    breaches.push('a refund of what was torn would pay for more than a quantum and a group');
  }
  let receipted = 0n;
  for (let number = before.receiptsWritten + 1; number <= after.receiptsWritten; number++) {
    const receipt = openReceipt(await target.module.getReceipt(number), target.keys.receipt);
    receipted += receipt.amount + receipt.torn;
    if (receipt.number !== number) breaches.push('the receipts have a gap');
  }
  if (after.loaded !== before.loaded) breaches.push('credit came from nowhere');
  if (receipted !== spent) breaches.push('the receipts do not account for what was spent');
  return breaches;
}

/** Resets after each command of a session, as a host can do to any card. */
async function resetBetweenCommands(target: Target, player: Player): Promise<Attempt> {
  const answers = new Answers();
  const breaches: string[] = [];
  let torn = 0n;
  for (let groups = 0; groups <= 6; groups++) {
    for (const closed of [false, true]) {
      await player.begin();
      const before = await target.readPurse();
      for (let i = 0; i < groups; i++) await player.play();
      if (closed) await target.module.closeSession();
      await target.reset();
      answers.add(STATUS.DONE);
      const after = await target.readPurse();
      torn += after.torn - before.torn;
      breaches.push(...(await findBreaches(target, before, after, player.ticks)));
      if (closed && after.torn !== before.torn) breaches.push('a closed session was torn');
    }
  }
  const note = `${torn} micro-units of quanta were torn in all, each in a receipt`;
  return judge('a reset after OPEN, after each of six groups, and after CLOSE, then SELECT', answers, breaches, {
    notes: [note],
    figures: { resets: 14 },
  });
}

/** Tears after every two groups, so that RAM alone has counted the second one. */
async function tearSmallGroups(target: Target, player: Player): Promise<Attempt> {
  const answers = new Answers();
  const breaches: string[] = [];
  for (let i = 0; i < 8; i++) {
    await player.begin();
    const before = await target.readPurse();
    await player.play(1000);
    await player.play(1000);
    await target.reset();
    answers.add(STATUS.DONE);
    breaches.push(...(await findBreaches(target, before, await target.readPurse(), player.ticks)));
  }
  const note = 'it costs a quantum each time: who tears on purpose pays more than who does not';
  return judge('two small groups and a reset, then SELECT, again and again', answers, breaches, {
    notes: [note],
    figures: { resets: 8 },
  });
}

/** A command, and what must hold whenever the power fails in it. */
interface Stage {
  readonly name: string;
  /** Makes the card ready and returns the command. */
  prepare(): Promise<ModuleCommand>;
  /** Checks the card after it is back. @param before the purse before the command. @returns the breaches. */
  check(command: ModuleCommand, before: PurseStatus): Promise<string[]>;
}

function listStages(target: Target, service: HonestService, player: Player): Stage[] {
  const paid = async (_: ModuleCommand, before: PurseStatus) =>
    findBreaches(target, before, await target.readPurse(), player.ticks);
  return [
    {
      name: 'DECODE that takes the first quantum',
      prepare: async () => player.nextDecode(),
      check: paid,
    },
    {
      name: 'DECODE that takes another quantum',
      async prepare() {
        await player.play();
        return player.nextDecode();
      },
      check: paid,
    },
    {
      name: 'CLOSE SESSION',
      async prepare() {
        await player.play();
        return { ins: INS.CLOSE_SESSION, data: NO_DATA };
      },
      check: paid,
    },
    {
      name: 'LOAD CREDIT',
      prepare: async () => ({ ins: INS.LOAD_CREDIT, data: await target.signLoadOrder(AMOUNT) }),
      async check(command, before) {
        const loaded = [before.loaded, before.loaded + AMOUNT];
        const breaches = loaded.includes((await target.readPurse()).loaded) ? [] : ['half of a load is there'];
        for (let i = 0; i < 2; i++) await target.mustSucceed('the same load again', command);
        if ((await target.readPurse()).loaded !== before.loaded + AMOUNT)
          breaches.push('the load was not loaded just once');
        return breaches;
      },
    },
    {
      name: 'LOAD KEY of a renewal',
      prepare: async () => loadKey(service.sealPurchase()),
      async check(command) {
        const confirm = openConfirm(await target.mustSucceed('the same purchase again', command), target.keys.uplink);
        const kept = (await target.module.listKeys()).filter(({ service: of }) => of === confirm.service);
        return kept.length === 1 ? [] : ['the purchase is there more than once'];
      },
    },
  ];
}

async function cutEverywhere(target: Target, player: Player, power: PowerControl, stage: Stage): Promise<Attempt> {
  const answers = new Answers();
  const breaches: string[] = [];
  let points = 0;
  let fired = true;
  for (let point: number | 'afterLast' = 0; fired && point < MAX_CUT_POINTS; point++) {
    fired = await cutOnce(target, player, power, stage, point, breaches, answers);
    if (fired) points++;
  }
  if (await cutOnce(target, player, power, stage, 'afterLast', breaches, answers)) points++;
  const tried = `the power cut in ${stage.name}, before every persistent write and before the answer, then SELECT`;
  return judge(tried, answers, breaches, {
    notes: [`${points} moments`],
    figures: { 'cut points': points },
  });
}

/** @returns whether the power failed. */
async function cutOnce(
  target: Target,
  player: Player,
  power: PowerControl,
  stage: Stage,
  point: number | 'afterLast',
  breaches: string[],
  answers: Answers,
): Promise<boolean> {
  await player.begin();
  const before = await target.readPurse();
  const command = await stage.prepare();
  await power.cut(point);
  let fired = false;
  try {
    const { status } = await target.send(command);
    if (status === STATUS.DONE && command.ins === INS.DECODE) player.ticks += TICKS;
  } catch (error) {
    if (!(error instanceof CardGoneError)) throw error;
    fired = true;
    await power.insert();
  }
  await target.reset();
  answers.add(STATUS.DONE);
  breaches.push(...(await stage.check(command, before)));
  return fired;
}
