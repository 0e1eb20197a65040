import type { Case } from '../tester.ts';
import { authenticationCases } from './authentication.ts';
import { blindCases } from './blind.ts';
import { channelCases } from './channel.ts';
import { commandCases } from './commands.ts';
import { decodeCases } from './decode.ts';
import { keyPairCases } from './key-pairs.ts';
import { keyCases } from './keys.ts';
import { limitCases } from './limits.ts';
import { loadCases } from './load.ts';
import { personalisationCases } from './personalisation.ts';
import { matrixCases } from './matrix.ts';
import { pinCases } from './pin.ts';
import { purchaseCases } from './purchases.ts';
import { purseCases } from './purse.ts';
import { receiptCases } from './receipts.ts';
import { slotCases } from './slots.ts';
import { treeCases } from './tree.ts';

/** All cases by the file of vectors that keeps their answers. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  commands: commandCases,
  personalisation: personalisationCases,
  keys: keyCases,
  decode: decodeCases,
  purse: purseCases,
  receipts: receiptCases,
  load: loadCases,
  limits: limitCases,
  pin: pinCases,
  purchases: purchaseCases,
  slots: slotCases,
  tree: treeCases,
  'key-pairs': keyPairCases,
  blind: blindCases,
  channel: channelCases,
  authentication: authenticationCases,
  matrix: matrixCases,
};
