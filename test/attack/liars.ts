import { INS } from '../../apdu/decode-module/instruction.ts';
import { statusOf } from '../../apdu/iso7816/response-apdu.ts';
import { concat, readUint, toHex, writeUint } from '../../apdu/octets.ts';
import type { Lying } from '../support/liar-card.ts';

/** Says 9000 and some octets where the card says `status` to `ins`. */
function insteadOf(status: number, ins: number, length: number): Lying {
  return {
    answer: (command, answer) =>
      command[1] === ins && statusOf(answer) === status
        ? concat(new Uint8Array(length), Uint8Array.of(0x90, 0))
        : answer,
  };
}

/** Gives the plaintext of every card part again that it has given once. */
function remembersPlaintext(): Lying {
  const given = new Map<string, Uint8Array>();
  return {
    answer(command, answer) {
      if (command[1] !== INS.DECODE) return answer;
      if (statusOf(answer) === 0x9000) given.set(toHex(command), answer);
      return given.get(toHex(command)) ?? answer;
    },
  };
}

/** Counts so many micro-units more as spent after every command that `when` picks, whatever it answers. */
function spendsMore(microUnits: number, when: (command: Uint8Array, status: number) => boolean): Lying {
  let more = 0;
  return {
    answer(command, answer) {
      if (when(command, statusOf(answer))) more += microUnits;
      if (command[1] !== INS.GET_PURSE || answer.length < 70) return answer;
      const purse = answer.slice();
      writeUint(purse, 10, 6, readUint(purse, 10, 6) + more);
      return purse;
    },
  };
}

/** Refuses as it should, and charges all the same. */
function chargesRefusals(status: number, ins: number): Lying {
  return spendsMore(1, (command, answered) => command[1] === ins && answered === status);
}

/** Charges a card part that it answers again. */
function chargesAgain(): Lying {
  const seen = new Set<string>();
  return spendsMore(1, (command, status) => {
    if (command[1] !== INS.DECODE || status !== 0x9000) return false;
    const part = toHex(command);
    const again = seen.has(part);
    seen.add(part);
    return again;
  });
}

/** Opens and charges groups, 10 units each, that the spend limit of the day forbids. */
function knowsNoDay(): Lying {
  const charging = spendsMore(10_000_000, (command, status) => command[1] === INS.DECODE && status === 0x9403);
  const opening = insteadOf(0x9403, INS.DECODE, 64);
  return { answer: (command, answer) => opening.answer!(command, charging.answer!(command, answer)) };
}

/** Adds to what is loaded with every order that it answers, also the repeated ones. */
function loadsAgain(): Lying {
  const seen = new Set<string>();
  let bonus = 0;
  return {
    answer(command, answer) {
      if (command[1] === INS.LOAD_CREDIT && statusOf(answer) === 0x9000) {
        if (seen.has(toHex(command))) bonus += readUint(command, 5 + 20, 6);
        seen.add(toHex(command));
      }
      if (command[1] !== INS.GET_PURSE || answer.length < 70) return answer;
      const purse = answer.slice();
      writeUint(purse, 4, 6, readUint(purse, 4, 6) + bonus);
      return purse;
    },
  };
}

/** Tells more than one word about what is not authentic. */
const TALKATIVE: Lying = {
  answer: (command, answer) =>
    statusOf(answer) === 0x6988 && command[1] === INS.LOAD_CREDIT ? Uint8Array.of(0x6a, 0x80) : answer,
};

/** What is wrong with a card, and the attack that has to find it. */
export const LIARS: ReadonlyArray<readonly [attack: string, what: string, lying: Lying]> = [
  ['replay', 'gives plaintext again', remembersPlaintext()],
  ['replay', 'takes a used number again', insteadOf(0x940b, INS.LOAD_KEY, 48)],
  ['replay', 'charges a group again that it gives again', chargesAgain()],
  ['rollback', 'takes older numbers', insteadOf(0x940b, INS.LOAD_KEY, 48)],
  ['rollback', 'takes older loads', insteadOf(0x940b, INS.LOAD_CREDIT, 64)],
  ['tear', 'forgets a session that was torn', { forgetsSessions: true }],
  ['splice', 'checks no tag of a card part', insteadOf(0x6988, INS.DECODE, 64)],
  ['splice', 'checks no tag of a key message', insteadOf(0x6988, INS.LOAD_KEY, 0)],
  ['bogus', 'checks no tag of a card part', insteadOf(0x6988, INS.DECODE, 64)],
  ['bogus', 'checks no tag of an acknowledgement', insteadOf(0x6988, INS.ACKNOWLEDGE_RECEIPTS, 0)],
  ['bogus', 'says which way a message is wrong', TALKATIVE],
  ['bogus', 'charges for a forged acknowledgement', chargesRefusals(0x6988, INS.ACKNOWLEDGE_RECEIPTS)],
  ['time', 'does not look at the time of a packet', insteadOf(0x9405, INS.DECODE, 64)],
  ['time', 'takes keys that outlive their parent', insteadOf(0x9405, INS.LOAD_KEY, 0)],
  ['load-twice', 'takes two orders for one number', insteadOf(0x940b, INS.LOAD_CREDIT, 64)],
  ['load-twice', 'loads a repeated order again', loadsAgain()],
  ['load-twice', 'charges for an order that it refuses', chargesRefusals(0x940b, INS.LOAD_CREDIT)],
  ['leave-replay', 'takes a left purchase again', insteadOf(0x940b, INS.LOAD_KEY, 48)],
  ['leave-replay', 'plays on after a leave', insteadOf(0x9405, INS.DECODE, 64)],
  ['forge-price', 'knows no ceiling for a price', insteadOf(0x9402, INS.LOAD_KEY, 0)],
  ['forge-price', 'knows no ceiling for a group', insteadOf(0x9402, INS.DECODE, 64)],
  ['forge-price', 'knows no limit of a day', knowsNoDay()],
  ['wrong-parent', 'takes any key under any parent', insteadOf(0x940d, INS.LOAD_KEY, 0)],
];
