import { afterAll, describe, expect, it } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { parsePurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import { openReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { MODULE_AID } from '../../../apdu/decode-module/select-answer.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { encodeCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { CARD_KINDS, type CutPoint, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { countTally } from '../../support/tally.ts';
import { CASES } from '../cases/index.ts';
import { CARD_KEYS, sealPart, sealContent, SEGMENT_KEY_ID, sealSegment } from '../messages/messages.ts';
import { SEGMENT_PURCHASE_ID, sealUnderSlot } from '../messages/purchase-messages.ts';
import { type Step, encodeU32 } from '../tester.ts';
import { readVectors } from '../vectors.ts';

/**
 * Every INS of protocol.md, section 2, that ever writes: a command of each is cut at its every write. GENERATE KEY
 * PAIR: key-pair-power-cut.test.ts.
 */
const WRITING = [
  INS.SELECT,
  INS.EXTERNAL_AUTHENTICATE,
  INS.PUT_KEY,
  INS.SET_STATUS,
  INS.STORE_DATA,
  INS.VERIFY,
  INS.CHANGE_PIN,
  INS.SET_SPEND_LIMIT,
  INS.OPEN_SESSION,
  INS.CLOSE_SESSION,
  INS.LOAD_KEY,
  INS.DELETE_KEY,
  INS.DECODE,
  INS.LOAD_CREDIT,
  INS.ACKNOWLEDGE_RECEIPTS,
  INS.LEAVE,
];
/** What answers the same when it is sent again, whatever the power did. */
const REPEATABLE: ReadonlySet<number> = new Set([INS.LOAD_CREDIT, INS.LEAVE]);
const FREE = { kind: 'free' } as const;

/** A command that writes, and what comes before it. */
interface Writer {
  readonly before: readonly Step[];
  readonly command: Uint8Array;
  readonly answer: string;
  readonly writes: number;
}

class Player {
  readonly card: SimulatedCard;
  #channel: CardChannel | undefined;

  constructor(card: SimulatedCard) {
    this.card = card;
  }

  async begin(): Promise<void> {
    await this.card.erase();
    this.#channel ??= await this.card.channel();
  }

  async send(octets: Uint8Array): Promise<string> {
    return toHex(await this.#channel!.transmit(octets));
  }

  /** Without an answer, and with the power on again. @returns the answer if there was one. */
  async cut(point: CutPoint, octets: Uint8Array): Promise<string | undefined> {
    await this.card.cut(point);
    try {
      return await this.send(octets);
    } catch (error) {
      if (!(error instanceof CardGoneError)) throw error;
    }
    await this.#channel!.close();
    await this.card.insert();
    this.#channel = await this.card.channel();
    return undefined;
  }

  async play(steps: readonly Step[]): Promise<void> {
    let point: CutPoint | undefined;
    for (const step of steps) {
      if (step === 'reset') await this.card.reset();
      else if (step === 'cut before') point = 0;
      else if (step === 'cut after') point = 'afterLast';
      else if (point !== undefined) {
        await this.cut(point, fromHex(step[0]));
        point = undefined;
      } else expect(await this.send(fromHex(step[0]))).toBe(step[1]);
    }
  }
}

/**
 * One of each command that writes: told apart by topic, header, length, kinds and number of writes, and by whether the
 * power failed before it; in the shortest case that has it.
 */
async function findWriters(player: Player): Promise<Writer[]> {
  const found = new Map<string, Writer>();
  for (const topic of Object.keys(CASES)) {
    const { beginnings, cases } = readVectors(topic);
    for (const { from, steps } of cases) {
      const all = [...beginnings[from], ...steps];
      await player.begin();
      for (const [index, step] of all.entries()) {
        const plain = typeof step !== 'string' && step[1] !== null && !String(all[index - 1]).startsWith('cut');
        if (!plain) {
          if (step === 'reset' || typeof step !== 'string')
            await player.play(all.slice(Math.max(0, index - (step === 'reset' ? 0 : 1)), index + 1));
          continue;
        }
        const first = (await player.card.counts()).persistentWrites;
        await player.play([step]);
        const writes = (await player.card.counts()).persistentWrites - first;
        if (writes === 0) continue;
        const command = fromHex(step[0]);
        const torn = typeof all[index - 1] === 'string' || (all[index - 1]?.[1] ?? null) === null;
        // DECODE is long in what it does not write.
        const length = command[1] === INS.DECODE ? 0 : command.length;
        const kinds = command[1] === INS.LOAD_KEY ? `${command[5]} ${command[29]}` : '';
        const name = [topic, step[0].slice(0, 8), length, kinds, writes, torn, step[1].slice(-4)].join(' ');
        const held = found.get(name);
        if (held !== undefined && held.before.length <= index) continue;
        found.set(name, { before: all.slice(0, index), command, answer: step[1], writes });
      }
    }
  }
  return [...found.values()];
}

function makeCommand(ins: number, data?: Uint8Array, p1 = 0, p2 = 0): Uint8Array {
  return encodeCommand({ cla: ins === INS.SELECT || ins === INS.GET_RESPONSE ? 0 : 0x80, ins, p1, p2, data, le: 256 });
}

const LIST_AT = 1;
const LOOK = [
  makeCommand(INS.LIST_KEYS),
  makeCommand(INS.GET_RESPONSE),
  makeCommand(INS.GET_DATA, undefined, 0x01, 0x03),
  ...[0, 1, 2].map((back) => makeCommand(INS.GET_LOG, undefined, 0, back)),
  makeCommand(INS.GET_RECEIPT),
];
/** Free content under each kind of parent, and a group of each. */
const USE = [
  [makeCommand(INS.OPEN_SESSION, encodeU32(7))],
  [makeCommand(INS.LOAD_KEY, sealSegment())],
  ...[
    sealContent(FREE),
    sealContent(FREE, { parentKind: KIND.service, parentId: 1 }),
    sealContent(FREE, { parentId: SEGMENT_PURCHASE_ID }),
    sealUnderSlot(0, {}, FREE),
    sealUnderSlot(7, {}, FREE),
    sealUnderSlot(1024, {}, FREE),
  ].map((message, at) => [
    makeCommand(INS.LOAD_KEY, message),
    makeCommand(INS.DECODE, sealPart(0x7fff0000 + at)),
    makeCommand(INS.DELETE_KEY, Uint8Array.of(KIND.content, ...encodeU32(7), ...encodeU32(5000))),
  ]),
  [makeCommand(INS.DELETE_KEY, Uint8Array.of(KIND.segment, ...encodeU32(8), ...encodeU32(SEGMENT_KEY_ID)))],
].flat();

/**
 * All that the power left: what the card says of itself, its purse, its receipts, and what its keys open. Checks the
 * law.
 */
async function observe(player: Player): Promise<readonly string[]> {
  const said = [await player.send(makeCommand(INS.SELECT, MODULE_AID, 4))];
  expect(said[0]!.slice(-4)).toBe('9000');
  for (const question of LOOK) said.push(await player.send(question));
  const purse = await player.send(makeCommand(INS.GET_PURSE));
  said.push(purse);
  if (purse.endsWith('9000')) {
    const { loaded, balance, torn, receiptsWritten, taken } = parsePurseStatus(fromHex(purse.slice(0, -4)));
    expect(taken).toBe(0n);
    let amounts = 0n;
    for (let number = 1; number <= receiptsWritten; number++) {
      const receipt = await player.send(makeCommand(INS.GET_RECEIPT, encodeU32(number)));
      said.push(receipt);
      if (receiptsWritten > 32) continue;
      expect(receipt.slice(-4)).toBe('9000');
      amounts += openReceipt(fromHex(receipt.slice(0, -4)), CARD_KEYS.receipt).amount;
    }
    if (receiptsWritten <= 32) expect(balance + amounts + torn).toBe(loaded);
  }
  for (const question of USE) said.push(await player.send(question));
  // The counter of the secure channel.
  said.push(await player.send(makeCommand(INS.INITIALIZE_UPDATE, new Uint8Array(8))));
  expect(said.filter((answer) => answer.endsWith('6f00'))).toEqual([]);
  return said;
}

function isEither(now: readonly string[], states: readonly (readonly string[])[]): boolean {
  return states.some((state) => state.every((answer, at) => answer === now[at]));
}

/**
 * A key that is written over is gone until its message comes again, and in between opens nothing. (The message is not
 * used up, and the host has it: it was just sent.)
 */
function expectLess(now: readonly string[], old: readonly string[], where: string): void {
  for (const [at, answer] of now.entries()) {
    const less = answer === old[at] || answer === '6a88' || (at === LIST_AT && isShorterList(answer, old[at]!));
    expect(less, `${where}: ${answer} instead of ${old[at]}`).toBe(true);
  }
}

function isShorterList(list: string, old: string): boolean {
  const entries = (text: string): string[] => text.slice(0, -4).match(/.{40}/g) ?? [];
  return list.length === old.length - 40 && entries(list).every((entry) => entries(old).includes(entry));
}

/** Life state in the answer to SELECT. */
const LIFE_AT = 64;

function readLife(answer: string): string {
  return answer.slice(LIFE_AT, LIFE_AT + 2);
}

function replaceLife(answer: string, life: string): string {
  return answer.slice(0, LIFE_AT) + life + answer.slice(LIFE_AT + 2);
}

/** @returns what is there when the power fails before the command, and after it. */
async function findOutcomes(
  player: Player,
  { before, command: cut }: Writer,
): Promise<readonly [old: readonly string[], done: readonly string[]]> {
  await player.begin();
  await player.play(before);
  await player.card.reset();
  const old = await observe(player);
  await player.begin();
  await player.play(before);
  await player.send(cut);
  await player.card.reset();
  return [old, await observe(player)];
}

describe.each(CARD_KINDS.filter((kind) => kind !== 'pcsc'))('every command that writes on %s', (kind) => {
  let points = 0;
  afterAll(() => {
    console.log(`power cuts in every command that writes, ${kind}: ${points} points`);
    countTally('power cuts', kind, points, 'points');
  });

  it('is done or not done wherever the power fails, and the card goes on', async () => {
    await using card = await startCard({ kind });
    const player = new Player(card);
    const writers = await findWriters(player);
    const instructions = new Set(writers.map(({ command: octets }) => octets[1]!));
    expect([...instructions].toSorted((a, b) => a - b)).toEqual(WRITING.toSorted((a, b) => a - b));
    for (const writer of writers) {
      const [old, done] = await findOutcomes(player, writer);
      const cuts: CutPoint[] = [...Array.from({ length: writer.writes }, (_, k) => k), 'afterLast'];
      for (const point of cuts) {
        await player.begin();
        await player.play(writer.before);
        expect(await player.cut(point, writer.command)).toBeUndefined();
        points++;
        const now = await observe(player);
        const where = `${toHex(writer.command)} cut at ${point} of ${writer.writes}`;
        // What a blank card was told is there before it is personalised: the issuer sends it again.
        const told = done.with(0, replaceLife(done[0]!, '00'));
        const blank = readLife(now[0]!) === '00';
        const ins = writer.command[1]!;
        const underUnique = ins === INS.LOAD_KEY && writer.command[29] === KIND.unique;
        const plain = writer.command[0] === 0x80 && writer.answer.endsWith('9000');
        const replaced = underUnique && plain && !isEither(now, [old, done]);
        if (replaced) expectLess(now, old, where);
        else expect(blank ? [old, done, told] : [old, done], `after ${where}`).toContainEqual(now);
        if (point === 'afterLast') expect(now, `after ${where}`).toEqual(done);
        if (plain && (underUnique || REPEATABLE.has(ins))) {
          expect(await player.send(writer.command), `after ${where}`).toBe(writer.answer);
          await player.card.reset();
          if (replaced) expect(await observe(player), `after ${where}`).toEqual(done);
        }
      }
    }
  }, 600_000);
});
