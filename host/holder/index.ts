/** What the owner of a card does with it. */
import '../../apdu/require-node.ts';
export { currencyByNumber } from '../money/currency.ts';
export { formatMoney } from '../money/amount.ts';
export { type CardSnapshot, type PurseSnapshot, readCard } from './card-snapshot.ts';
export { deletePurchase, findPurchase, type LeftPurchase, leavePurchase, type PurchaseName } from './leave.ts';
export { hasPurse, requireActive, requirePurseShown, selectActive } from './life.ts';
export { changePin, presentPin } from './pin.ts';
export { type LogEntry, type PurseEvent, readPurseLog } from './purse-log.ts';
export { requestLoad, sendReceipts, takeAcknowledgement, takeLoad } from './remote-load.ts';
export { type CardFile, type CardFileKind, encodeCardFile, parseCardFile } from '../contract/card-files/card-file.ts';
export { setSpendLimit } from './spend-limit.ts';
export {
  type PostMessage,
  type PostReply,
  RequestRefusedError,
  Subscription,
  type SubscriptionOptions,
} from './requests/subscription.ts';
export { requireWithinOffer } from './requests/require-within-offer.ts';
export { KeptJoin, type KeptJoinOptions } from './requests/kept-join.ts';
