import type { Case } from '../tester.ts';
import { commandCases } from './commands.ts';
import { decodeCases } from './decode.ts';
import { keyCases } from './keys.ts';
import { loadCases } from './load.ts';
import { personalisationCases } from './personalisation.ts';
import { purseCases } from './purse.ts';
import { receiptCases } from './receipts.ts';

/** All cases by the file of vectors that keeps their answers. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  commands: commandCases,
  personalisation: personalisationCases,
  keys: keyCases,
  decode: decodeCases,
  purse: purseCases,
  receipts: receiptCases,
  load: loadCases,
};
