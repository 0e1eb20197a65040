import type { Case } from '../tester.ts';
import { authenticationCases } from './card/authentication.ts';
import { channelCases } from './card/channel.ts';
import { commandCases } from './card/commands.ts';
import { dataObjectCases } from './card/data-objects.ts';
import { limitCases } from './card/limits.ts';
import { logicalChannelCases } from './card/logical-channels.ts';
import { matrixCases } from './card/matrix.ts';
import { personalisationCases } from './card/personalisation.ts';
import { pinCases } from './card/pin.ts';
import { putKeyCases } from './card/put-key.ts';
import { keyFieldCases } from './keys/key-fields.ts';
import { keyPairCases } from './keys/key-pairs.ts';
import { keyStoreCases } from './keys/key-store.ts';
import { keyCases } from './keys/keys.ts';
import { olderMessageCases } from './keys/older-messages.ts';
import { purchaseCases } from './keys/purchases.ts';
import { sameKeyCases } from './keys/same-key.ts';
import { seedPartCases } from './keys/seed-parts.ts';
import { slotCases } from './keys/slots.ts';
import { treeCases } from './keys/tree.ts';
import { wrappingCases } from './keys/wrapping.ts';
import { creditLimitCases } from './money/credit-limit.ts';
import { dayCases } from './money/day.ts';
import { flatCases } from './money/flat.ts';
import { lastingCases } from './money/lasting.ts';
import { loadCases } from './money/load.ts';
import { purseCases } from './money/purse.ts';
import { receiptCases } from './money/receipts.ts';
import { tornSessionCases } from './money/torn-sessions.ts';
import { blindCases } from './packets/blind.ts';
import { decodeCases } from './packets/decode.ts';
import { groupCases } from './packets/groups.ts';
import { leaveCases } from './requests/leave.ts';

/** All cases by the file of vectors that keeps their answers. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  commands: commandCases,
  personalisation: personalisationCases,
  keys: keyCases,
  'key-fields': keyFieldCases,
  'key-store': keyStoreCases,
  'same-key': sameKeyCases,
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
  'logical-channels': logicalChannelCases,
  lasting: lastingCases,
  matrix: matrixCases,
};
