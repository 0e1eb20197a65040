import type { Clock } from '../../clock/clock.ts';
import type { GroupWriter } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { InvoicePorts } from '../api/invoice-routes.ts';
import { BillingDesk } from '../billing/billing-desk.ts';
import { InvoiceDesk } from '../billing/invoices/invoice-desk.ts';
import type { HeadendPlan } from '../config/headend-plan.ts';
import type { SoldServices } from './sold-services.ts';

/** What the API needs for billing. */
export interface Invoicing extends Pick<InvoicePorts, 'invoices' | 'findParties'> {
  readonly billing: BillingDesk;
}

export function openInvoicing(
  { invoices: { from, tax } }: HeadendPlan,
  ports: {
    readonly store: HeadendStore;
    readonly writer: GroupWriter;
    readonly clock: Clock;
    readonly services: SoldServices;
  },
): Invoicing {
  const { store, writer, clock, services } = ports;
  return {
    billing: new BillingDesk(store, writer, clock),
    invoices: new InvoiceDesk(store, writer, clock, tax),
    findParties: async () => ({
      from,
      services: new Map(services.list().map(({ plan }) => [plan.number, plan.name])),
    }),
  };
}
