import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { LIFE, MODULE_AID } from '../../../../apdu/decode-module/select-answer.ts';
import { concat } from '../../../../apdu/octets.ts';
import { encodePutKey } from '../../../../apdu/secure-channel/put-key.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import { signAcknowledgementUpTo, KEYS, signOrder, PROFILE, SERVICE, sealService } from '../../messages/messages.ts';
import { type Case, type Tester, encodeU32 } from '../../tester.ts';

type Life = keyof typeof LIFE;

/** A row of the table in protocol.md, section 2. */
interface Row {
  readonly ins: number;
  readonly cla?: number;
  readonly p1?: number;
  readonly p2?: number;
  readonly data?: Uint8Array;
  /** Lengths of data that are allowed; every one where there is none. */
  readonly lengths?: readonly number[];
  /** What it answers where it is allowed; undefined: not asked, as no two cards answer the same. */
  readonly done: number | undefined;
  readonly states: readonly Life[];
  /** P1 P2 that are not its own: `6A86` unless told. */
  readonly foreign: ReadonlyArray<readonly [p1: number, p2: number]>;
  readonly foreignStatus?: number;
  /** It must come through the channel. */
  readonly inside?: true;
}

const ALL: readonly Life[] = ['blank', 'personalised', 'active', 'blocked', 'terminated'];
const KEPT: readonly Life[] = ['active', 'blocked', 'terminated'];
const USE: readonly Life[] = ['active'];
const LIVE: readonly Life[] = ['blank', 'personalised', 'active', 'blocked'];
const NONE = new Uint8Array(0);
/** Where both are 00. */
const OTHERS = [
  [1, 0],
  [0, 1],
  [0x80, 0xff],
] as const;

/** @param data one that is long enough to be looked at. */
function plain(
  ins: number,
  data: Uint8Array,
  done: number | undefined,
  states: readonly Life[],
  more: Partial<Row> = {},
): Row {
  return { ins, data, lengths: [data.length], done, states, foreign: OTHERS, ...more };
}

/** Every instruction; of those with several forms, each. */
export const ROWS: readonly Row[] = [
  {
    ins: INS.SELECT,
    cla: 0,
    p1: 4,
    data: MODULE_AID,
    done: STATUS.DONE,
    states: ALL,
    foreign: [
      [0, 0],
      [4, 1],
    ],
  },
  plain(INS.GET_RESPONSE, NONE, STATUS.NOT_NOW, ALL, { cla: 0 }),
  plain(INS.VERIFY, new Uint8Array(8), STATUS.UNKNOWN_KEY, USE),
  plain(INS.CHANGE_PIN, new Uint8Array(16), STATUS.UNKNOWN_KEY, USE),
  plain(INS.SET_SPEND_LIMIT, new Uint8Array(6), STATUS.SECURITY, USE),
  plain(INS.OPEN_SESSION, encodeU32(SERVICE), STATUS.DONE, USE),
  plain(INS.CLOSE_SESSION, NONE, STATUS.DONE, KEPT),
  { ins: INS.LOAD_KEY, data: sealService(1), done: STATUS.DONE, states: USE, foreign: OTHERS },
  plain(INS.DELETE_KEY, new Uint8Array(9), STATUS.UNKNOWN_KEY, USE),
  plain(INS.LIST_KEYS, NONE, STATUS.DONE, KEPT),
  {
    ins: INS.DECODE,
    data: new Uint8Array(56),
    done: STATUS.UNKNOWN_KEY,
    states: USE,
    foreign: [
      [2, 0],
      [0, 1],
      [1, 1],
    ],
  },
  plain(INS.DECODE, new Uint8Array(28), STATUS.UNKNOWN_KEY, USE, {
    p1: 1,
    foreign: [
      [2, 0],
      [1, 1],
    ],
  }),
  plain(INS.GET_PURSE, NONE, STATUS.DONE, KEPT),
  plain(INS.START_LOAD, NONE, STATUS.DONE, ['active', 'blocked']),
  plain(INS.LOAD_CREDIT, signOrder(1, 1n), STATUS.DONE, USE),
  plain(INS.GET_RECEIPT, NONE, STATUS.NOT_FOUND, KEPT, { lengths: [0, 4] }),
  plain(INS.GET_RECEIPT, encodeU32(1), STATUS.NOT_FOUND, KEPT, { lengths: [0, 4] }),
  plain(INS.ACKNOWLEDGE_RECEIPTS, signAcknowledgementUpTo(0), STATUS.DONE, KEPT),
  plain(INS.LEAVE, new Uint8Array(12), STATUS.UNKNOWN_KEY, USE),
  ...[0x43, 0x44, 0x45, 0x47, 0x48].map((p2) =>
    plain(INS.SIGN_REQUEST, new Uint8Array(40), STATUS.DONE, USE, {
      p2,
      foreign: [
        [0, 0],
        [0, 0x42],
        [0, 0x46],
        [0, 0x49],
        [1, p2],
      ],
    }),
  ),
  plain(INS.GET_LOG, NONE, STATUS.DONE, KEPT, {
    foreign: [
      [1, 0],
      [0, 64],
      [0, 0xff],
    ],
  }),
  // Object 0100 has a field of each module's own; limits.ts has it.
  plain(INS.GET_DATA, NONE, STATUS.DONE, ALL, {
    p1: 1,
    p2: 3,
    foreign: [
      [0, 0],
      [1, 1],
      [2, 3],
    ],
    foreignStatus: STATUS.UNKNOWN_KEY,
  }),
  plain(
    INS.STORE_DATA,
    concat(Uint8Array.of(0, 3, 37), new Uint8Array(37)),
    STATUS.DONE,
    ['blank', 'personalised', 'active'],
    {
      lengths: [],
      foreign: [
        [1, 0],
        [0x81, 0],
      ],
      inside: true,
    },
  ),
  // The state that it has; before it was active no card is blocked.
  plain(INS.SET_STATUS, NONE, STATUS.DONE, KEPT, {
    p1: 0x40,
    foreign: [
      [0, 0],
      [0x40, 2],
      [0x41, 3],
    ],
    inside: true,
  }),
  plain(INS.PUT_KEY, encodePutKey(TEST_KEY_SET, TEST_KEY_SET.dek), STATUS.DONE, LIVE, {
    p2: 0x81,
    foreign: [
      [0, 0x80],
      [0, 0],
    ],
    inside: true,
  }),
  // What it makes is in key-pairs.test.ts.
  plain(INS.GENERATE_KEY_PAIR, NONE, undefined, ['personalised', 'active'], { inside: true }),
  plain(INS.INITIALIZE_UPDATE, new Uint8Array(8), STATUS.DONE, LIVE, {
    foreign: [
      [0, 1],
      [1, 0xff],
    ],
  }),
  plain(INS.EXTERNAL_AUTHENTICATE, new Uint8Array(16), STATUS.NOT_NOW, ALL, {
    cla: 0x84,
    p1: 0x13,
    foreign: [
      [0x13, 1],
      [0, 0],
      [2, 0],
      [0x33, 0],
    ],
  }),
];

/** Brings a blank card into a state, in a channel that stays open. */
const WAYS: Readonly<Record<Life, (tester: Tester) => Promise<void>>> = {
  async blank(tester) {
    await tester.secure();
  },
  async personalised(tester) {
    await tester.storeData(0x0001, PROFILE, false);
    await tester.storeData(0x8001, KEYS, true);
  },
  async active(tester) {
    await WAYS.personalised(tester);
    await tester.setStatus(LIFE.active);
  },
  async blocked(tester) {
    await WAYS.active(tester);
    await tester.setStatus(LIFE.blocked);
  },
  async terminated(tester) {
    await WAYS.active(tester);
    await tester.setStatus(LIFE.terminated);
  },
};

/** Whether a row names no data: a plain command's data are not looked at then. */
function takesNone({ ins, lengths, inside }: Row): boolean {
  return inside === undefined && (ins === INS.GET_RECEIPT || (lengths?.length === 1 && lengths[0] === 0));
}

/** Lengths beside the right ones. */
function wrongLengths(row: Row): readonly number[] {
  const { ins, data = NONE, lengths } = row;
  if (ins === INS.STORE_DATA) return [0, 1, 2];
  if (takesNone(row)) return [];
  if (lengths === undefined) return [];
  // A blind DECODE is 12 octets and whole blocks.
  const near = [0, 1, data.length - 1, data.length + 1, 230].filter((length) => length >= 0);
  return [...new Set(near)].filter((length) => !lengths.includes(length));
}

/** What a row says, tried in a state; the channel is open and stays open but for INITIALIZE UPDATE. */
async function tryRow(tester: Tester, row: Row, life: Life): Promise<void> {
  const {
    ins,
    cla = 0x80,
    p1 = 0,
    p2 = 0,
    data = NONE,
    done,
    states,
    foreign,
    foreignStatus = STATUS.WRONG_PARAMETERS,
    inside,
  } = row;
  const ask = async (at: readonly [number, number], octets: Uint8Array, status: number): Promise<void> => {
    if (inside) await tester.inside(ins, at[0], at[1], octets, status);
    else await tester.command({ cla, ins, p1: at[0], p2: at[1], data: octets, le: 256 }, status);
  };
  const state = KEPT.includes(life) ? LIFE[life] : LIFE.blocked;
  const right = [p1, ins === INS.SET_STATUS ? state : p2] as const;
  const foreignClasses = cla === 0x80 ? [0x00, 0x90] : cla === 0 ? [0x80, 0x90] : [0x00, 0x80, 0x90];
  for (const other of foreignClasses) {
    await tester.command({ cla: other, ins, p1: right[0], p2: right[1], data, le: 256 }, STATUS.UNKNOWN_CLASS);
  }
  // The need of the channel goes before all that follows.
  if (inside) await tester.command({ cla, ins, p1: 9, p2: 9, data, le: 256 }, STATUS.SECURITY);
  // PUT KEY asks for the life state first.
  const first = ins === INS.PUT_KEY && !states.includes(life);
  for (const at of foreign) await ask(at, data, first ? STATUS.NOT_NOW : foreignStatus);
  for (const length of wrongLengths(row))
    await ask(right, new Uint8Array(length), first ? STATUS.NOT_NOW : STATUS.WRONG_LENGTH);
  const last = states.includes(life) ? done : STATUS.NOT_NOW;
  if (last === undefined) return;
  await ask(right, data, last);
  if (!takesNone(row)) return;
  // Le alone, which is not Lc; and data that are not looked at.
  const command = { cla, ins, p1: right[0], p2: right[1] };
  const withoutNumber = data.length === 0;
  for (const le of withoutNumber ? [1, 7, 255] : []) await tester.command({ ...command, le }, last);
  for (const length of withoutNumber ? [1, 230] : []) {
    await tester.command({ ...command, data: new Uint8Array(length), le: 256 }, last);
  }
}

/** These end the channel; nobody who is terminated opens one again. */
function endsChannel({ ins }: Row): boolean {
  return ins === INS.SELECT || ins === INS.INITIALIZE_UPDATE;
}

/** Not there on a chip without P-256, which the other rows are tried on, too. */
function needsP256({ ins }: Row): boolean {
  return ins === INS.GENERATE_KEY_PAIR;
}

export const matrixCases: readonly Case[] = [
  ...ALL.map((life): Case => ({
    name: `${life}: of every command class, P1 P2, length and life state`,
    from: 'blank',
    long: true,
    async run(tester) {
      await WAYS[life](tester);
      const rows = ROWS.filter((row) => !needsP256(row));
      for (const row of rows) if (!endsChannel(row)) await tryRow(tester, row, life);
      for (const row of rows) if (endsChannel(row)) await tryRow(tester, row, life);
      // Wrapped, where there is no channel.
      await tester.select();
      for (const { ins, cla, p1 = 0, p2 = 0, data = NONE } of rows) {
        if (cla === undefined) await tester.command({ cla: 0x84, ins, p1, p2, data, le: 256 }, STATUS.NOT_NOW);
      }
    },
  })),
  {
    name: 'GENERATE KEY PAIR: class, P1 P2, length and every life state',
    from: 'blank',
    long: true,
    async run(tester) {
      const steps: readonly (readonly [Life, () => Promise<void>])[] = [
        ['blank', () => WAYS.blank(tester)],
        ['personalised', () => WAYS.personalised(tester)],
        ['active', () => tester.setStatus(LIFE.active)],
        ['blocked', () => tester.setStatus(LIFE.blocked)],
        ['terminated', () => tester.setStatus(LIFE.terminated)],
      ];
      for (const [life, reach] of steps) {
        await reach();
        for (const row of ROWS) if (needsP256(row)) await tryRow(tester, row, life);
      }
    },
  },
  {
    name: 'on a logical channel where the module is not selected no command reaches it',
    from: 'active',
    platform: true,
    async run(tester) {
      for (const { ins, cla, p1 = 0, p2 = 0, data = NONE } of ROWS) {
        if (cla === undefined) await tester.command({ cla: 0x81, ins, p1, p2, data, le: 256 }, STATUS.NOT_SELECTED);
      }
    },
  },
];
