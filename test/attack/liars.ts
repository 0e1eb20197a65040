import { INS } from '../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { statusOf } from '../../apdu/iso7816/response-apdu.ts';
import { PURSE_STATUS } from '../../apdu/layout/money.ts';
import { concat, readUint, toHex } from '../../apdu/octets.ts';
import type { Lying } from '../support/cards/liar-card.ts';

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
      if (statusOf(answer) === STATUS.DONE) given.set(toHex(command), answer);
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
      PURSE_STATUS.writeUint(purse, 'spent', PURSE_STATUS.readUint(purse, 'spent') + more);
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
    if (command[1] !== INS.DECODE || status !== STATUS.DONE) return false;
    const part = toHex(command);
    const again = seen.has(part);
    seen.add(part);
    return again;
  });
}

/** Opens and charges groups, 10 units each, that the spend limit of the day forbids. */
function knowsNoDay(): Lying {
  const charging = spendsMore(
    10_000_000,
    (command, status) => command[1] === INS.DECODE && status === STATUS.SPEND_LIMIT,
  );
  const opening = insteadOf(STATUS.SPEND_LIMIT, INS.DECODE, 64);
  return { answer: (command, answer) => opening.answer!(command, charging.answer!(command, answer)) };
}

/** Adds to what is loaded with every order that it answers, also the repeated ones. */
function loadsAgain(): Lying {
  const seen = new Set<string>();
  let bonus = 0;
  return {
    answer(command, answer) {
      if (command[1] === INS.LOAD_CREDIT && statusOf(answer) === STATUS.DONE) {
        if (seen.has(toHex(command))) bonus += readUint(command, 5 + 20, 6);
        seen.add(toHex(command));
      }
      if (command[1] !== INS.GET_PURSE || answer.length < 70) return answer;
      const purse = answer.slice();
      PURSE_STATUS.writeUint(purse, 'loaded', PURSE_STATUS.readUint(purse, 'loaded') + bonus);
      return purse;
    },
  };
}

/** Tells more than one word about what is not authentic. */
const TALKATIVE: Lying = {
  answer: (command, answer) =>
    statusOf(answer) === STATUS.CRYPTO && command[1] === INS.LOAD_CREDIT ? Uint8Array.of(0x6a, 0x80) : answer,
};

/** What is wrong with a card, and the attack that has to find it. */
export const LIARS: ReadonlyArray<readonly [attack: string, what: string, lying: Lying]> = [
  ['replay', 'gives plaintext again', remembersPlaintext()],
  ['replay', 'takes a used number again', insteadOf(STATUS.OLD_NUMBER, INS.LOAD_KEY, 48)],
  ['replay', 'charges a group again that it gives again', chargesAgain()],
  ['rollback', 'takes older numbers', insteadOf(STATUS.OLD_NUMBER, INS.LOAD_KEY, 48)],
  ['rollback', 'takes older loads', insteadOf(STATUS.OLD_NUMBER, INS.LOAD_CREDIT, 64)],
  ['tear', 'forgets a session that was torn', { forgetsSessions: true }],
  ['splice', 'checks no tag of a card part', insteadOf(STATUS.CRYPTO, INS.DECODE, 64)],
  ['splice', 'checks no tag of a key message', insteadOf(STATUS.CRYPTO, INS.LOAD_KEY, 0)],
  ['bogus', 'checks no tag of a card part', insteadOf(STATUS.CRYPTO, INS.DECODE, 64)],
  ['bogus', 'checks no tag of an acknowledgement', insteadOf(STATUS.CRYPTO, INS.ACKNOWLEDGE_RECEIPTS, 0)],
  ['bogus', 'says which way a message is wrong', TALKATIVE],
  ['bogus', 'charges for a forged acknowledgement', chargesRefusals(STATUS.CRYPTO, INS.ACKNOWLEDGE_RECEIPTS)],
  ['time', 'does not look at the time of a packet', insteadOf(STATUS.OUTSIDE_VALIDITY, INS.DECODE, 64)],
  ['time', 'takes keys that outlive their parent', insteadOf(STATUS.OUTSIDE_VALIDITY, INS.LOAD_KEY, 0)],
  ['load-twice', 'takes two orders for one number', insteadOf(STATUS.OLD_NUMBER, INS.LOAD_CREDIT, 64)],
  ['load-twice', 'loads a repeated order again', loadsAgain()],
  ['load-twice', 'charges for an order that it refuses', chargesRefusals(STATUS.OLD_NUMBER, INS.LOAD_CREDIT)],
  ['leave-replay', 'takes a left purchase again', insteadOf(STATUS.OLD_NUMBER, INS.LOAD_KEY, 48)],
  ['leave-replay', 'plays on after a leave', insteadOf(STATUS.OUTSIDE_VALIDITY, INS.DECODE, 64)],
  ['leave-replay', 'signs any record', insteadOf(STATUS.WRONG_PARAMETERS, INS.SIGN_REQUEST, 80)],
  ['forge-price', 'knows no ceiling for a price', insteadOf(STATUS.ABOVE_CEILING, INS.LOAD_KEY, 0)],
  ['forge-price', 'knows no ceiling for a group', insteadOf(STATUS.ABOVE_CEILING, INS.DECODE, 64)],
  ['forge-price', 'knows no limit of a day', knowsNoDay()],
  ['forge-price', 'keeps dear content under a cheaper purchase', insteadOf(STATUS.UNKNOWN_KEY, INS.DECODE, 64)],
  ['wrong-parent', 'takes any key under any parent', insteadOf(STATUS.WRONG_PARENT, INS.LOAD_KEY, 0)],
];
