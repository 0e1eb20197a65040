import type { MasterName } from '../../../../apdu/decode-module/keys/card-keys.ts';
import type { HeadendPlan } from '../../config/headend-plan.ts';
import { LoadRole } from '../../loads/load-role.ts';
import { ReceiptRole, type ReceiptRoleOptions } from '../../receipts/receipt-role.ts';
import type { ReconciledSpan } from '../../receipts/reconciler.ts';

/** What takes receipts, and what loads cards. */
export interface MoneyRoles {
  /** Undefined where no receipts are taken. */
  readonly receipts: ReceiptRole | undefined;
  readonly loads: LoadRole;
  /** What operators hold against each other; undefined where no receipts are taken. */
  readonly reconciling: Pick<ReceiptRole, 'reconcile' | 'listFraud'> | undefined;
}

interface MoneyRoleOptions extends Omit<ReceiptRoleOptions, 'receiptMaster' | 'directory'> {
  readonly plan: Pick<HeadendPlan, 'issuer' | 'loads'>;
  readonly openMaster: (name: MasterName) => Promise<Uint8Array>;
  readonly hasMaster: ((name: MasterName) => Promise<boolean>) | undefined;
}

/** Opens both, each with the masters that it needs and no others. @throws as they do. */
export async function openMoneyRoles({
  plan,
  openMaster,
  hasMaster,
  ...options
}: MoneyRoleOptions): Promise<MoneyRoles> {
  const takesReceipts = (await hasMaster?.('receipt')) === true;
  const receipts = takesReceipts
    ? await ReceiptRole.open({ ...options, receiptMaster: await openMaster('receipt'), directory: plan.issuer })
    : undefined;
  const { store, writer, clock } = options;
  const loads = await LoadRole.open({ store, writer, receipts, isConfigured: plan.loads, openMaster, clock });
  const reconciling = receipts && {
    // Loads that were made by hand meanwhile are in the ledger first.
    reconcile: async (span: ReconciledSpan) => {
      await loads.postAll();
      return receipts.reconcile(span);
    },
    listFraud: (span: ReconciledSpan) => receipts.listFraud(span),
  };
  return { receipts, loads, reconciling };
}
