import type { Case } from '../tester.ts';
import { authenticationCases } from './authentication.ts';
import { blindCases } from './blind.ts';
import { channelCases } from './channel.ts';
import { commandCases } from './commands.ts';
import { dayCases } from './day.ts';
import { creditLimitCases } from './credit-limit.ts';
import { dataObjectCases } from './data-objects.ts';
import { decodeCases } from './decode.ts';
import { flatCases } from './flat.ts';
import { groupCases } from './groups.ts';
import { keyFieldCases } from './key-fields.ts';
import { keyPairCases } from './key-pairs.ts';
import { keyStoreCases } from './key-store.ts';
import { keyCases } from './keys.ts';
import { lastingCases } from './lasting.ts';
import { leaveCases } from './leave.ts';
import { limitCases } from './limits.ts';
import { loadCases } from './load.ts';
import { olderMessageCases } from './older-messages.ts';
import { personalisationCases } from './personalisation.ts';
import { matrixCases } from './matrix.ts';
import { pinCases } from './pin.ts';
import { purchaseCases } from './purchases.ts';
import { purseCases } from './purse.ts';
import { putKeyCases } from './put-key.ts';
import { receiptCases } from './receipts.ts';
import { seedPartCases } from './seed-parts.ts';
import { slotCases } from './slots.ts';
import { tornSessionCases } from './torn-sessions.ts';
import { treeCases } from './tree.ts';
import { wrappingCases } from './wrapping.ts';

/** All cases by the file of vectors that keeps their answers. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  commands: commandCases,
  personalisation: personalisationCases,
  keys: keyCases,
  'key-fields': keyFieldCases,
  'key-store': keyStoreCases,
  decode: decodeCases,
  groups: groupCases,
  purse: purseCases,
  flat: flatCases,
  'torn-sessions': tornSessionCases,
  receipts: receiptCases,
  load: loadCases,
  limits: limitCases,
  day: dayCases,
  'credit-limit': creditLimitCases,
  'data-objects': dataObjectCases,
  pin: pinCases,
  purchases: purchaseCases,
  leave: leaveCases,
  'older-messages': olderMessageCases,
  slots: slotCases,
  'seed-parts': seedPartCases,
  tree: treeCases,
  'key-pairs': keyPairCases,
  blind: blindCases,
  channel: channelCases,
  authentication: authenticationCases,
  wrapping: wrappingCases,
  'put-key': putKeyCases,
  lasting: lastingCases,
  matrix: matrixCases,
};
