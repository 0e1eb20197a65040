import type { MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import type { HeadendPlan } from '../config/headend-plan.ts';
import { LoadRole } from '../loads/load-role.ts';
import { ReceiptRole, type ReceiptRoleOptions } from '../receipts/receipt-role.ts';

/** What takes receipts, and what loads cards. */
export interface MoneyRoles {
  /** Undefined where no receipts are taken. */
  readonly receipts: ReceiptRole | undefined;
  readonly loads: LoadRole;
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
  return { receipts, loads };
}
