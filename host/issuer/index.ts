/** Makes cards, loads them, and keeps the accounts of what they were given. */
import '../../apdu/require-node.ts';
export { formatMoney, type Money, parseMoney } from '../money/amount.ts';
export { type Currency, currencyByCode, currencyByNumber } from '../money/currency.ts';
export { type AccountSummary, summariseAccount } from './cards/account-summary.ts';
export { AccountTables, type CardOverview } from './cards/account-tables.ts';
export { Accounts, type IssuedCard, type ReceiptTotals } from './cards/accounts.ts';
export {
  type Administration,
  replaceKeys,
  setLife,
  setLimits,
  setPin,
  setVerificationKey,
} from './cards/card-administration.ts';
export { backUpStore } from './copies/backup.ts';
export { type RestoredStore, restoreStore } from './copies/restore.ts';
export type { StoreContents } from './copies/store-contents.ts';
export { type BatchEntry, BatchJournal } from './batch/batch-journal.ts';
export { type BatchCard, type BatchContext, runBatch } from './batch/run-batch.ts';
export { findIssuedCard } from './cards/issued-card.ts';
export { type NewCard, type Personalisation, personalise } from './cards/personalisation.ts';
export { IssuerError } from './issuer-error.ts';
export { changePassphrase } from './keys/change-passphrase.ts';
export { readKeySet } from './keys/key-set-file.ts';
export { createStore, DEFAULT_STORE, KeyStore } from './keys/key-store.ts';
export { openUplinkKeys, type UplinkKeys } from './keys/uplink-keys.ts';
export { readVerificationKey } from './keys/verification-key-file.ts';
export {
  type CreditLimitResult,
  DEFAULT_REFUND_CAP,
  loadCredit,
  type LoadResult,
  planCreditLimit,
  planLoad,
  type CreditRequest,
  setCreditLimit,
} from './orders/credit.ts';
export { DEFAULT_SOFT_LIMIT, type OrderContext, type OrderRequest } from './orders/order-plan.ts';
export {
  answerLoadRequest,
  type RemoteContext,
  type RemoteOrder,
  takeProof,
  type TakenProof,
} from './orders/remote-order.ts';
export { acknowledgeReceipts, takeReceipts } from './orders/remote-receipts.ts';
export { StoreError } from '../store/store-error.ts';
export { type Collection, collectReceipts, collectSoftReceipts } from './orders/receipts.ts';
