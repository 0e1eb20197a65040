import type { RedactionPolicy } from '../iso7816/trace.ts';
import { CARD_HEADER } from '../layout/packets.ts';
import { INS } from './instruction.ts';

/**
 * What a trace of the decode module may show. It never shows the keys that personalise a card, a PIN, or what DECODE
 * gives out, which is content and in mode sealed the group's key. All else is public, or is ciphertext under keys that
 * no trace holds.
 */
export const moduleTracePolicy: RedactionPolicy = (command) => {
  switch (command[1]) {
    case INS.STORE_DATA:
    case INS.VERIFY:
    case INS.CHANGE_PIN:
      return { command: 0, answer: Infinity };
    case INS.DECODE:
      return { command: CARD_HEADER.length, answer: 0 };
    default:
      return { command: Infinity, answer: Infinity };
  }
};
