import type { Clock } from '../../../clock/clock.ts';
import { makeProblem } from '../../../contract/answers/problem.ts';
import { MAX_BILL_LINES } from '../../../contract/bill/user-bill.ts';
import type { GroupWriter } from '../../../store/group-writer.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { UserBillPorts } from '../../api/routes/bill-routes.ts';
import type { InvoicePorts } from '../../api/routes/invoice-routes.ts';
import type { LostCardPorts } from '../../api/routes/lost-card-routes.ts';
import type { MemberPorts } from '../../api/routes/member-routes.ts';
import { BillingDesk } from '../../billing/billing-desk.ts';
import { DisputeDesk } from '../../billing/disputes/dispute-desk.ts';
import { InvoiceDesk } from '../../billing/invoices/invoice-desk.ts';
import type { LogBiller } from '../../billing/log-biller.ts';
import { readUserBill } from '../../billing/read-user-bill.ts';
import { Subscriptions } from '../../billing/subscriptions.ts';
import { UserBook } from '../../billing/users/user-book.ts';
import type { HeadendPlan } from '../../config/headend-plan.ts';
import type { LoadRole } from '../../loads/load-role.ts';
import { forgetSent } from '../../meter/forget-sent.ts';
import type { RequestDesk } from '../../requests/request-desk.ts';
import type { SoldServices } from '../sessions/sold-services.ts';
import { guardMembers, openReplacing } from './replace-card.ts';

/** Seconds. */
const DAY = 86_400;

/** What the API needs for billing. */
export interface Invoicing extends Pick<InvoicePorts, 'invoices' | 'findParties'>, UserBillPorts {
  readonly billing: BillingDesk;
  readonly disputes: DisputeDesk;
  readonly subscriptions: Subscriptions;
  readonly users: UserBook;
  readonly members: MemberPorts['members'];
  readonly replacing: LostCardPorts['replacing'];
}

export function openInvoicing(
  { invoices: { from, tax }, journalDays }: HeadendPlan,
  ports: {
    readonly store: HeadendStore;
    readonly writer: GroupWriter;
    readonly clock: Clock;
    readonly services: SoldServices;
    readonly desk: RequestDesk;
    readonly logBiller: LogBiller;
    readonly loads: Pick<LoadRole, 'lost'>;
  },
): Invoicing {
  const { store, writer, clock, services, desk, logBiller, loads } = ports;
  const subscriptions = new Subscriptions(store, writer, clock, (number) => services.find(number));
  const users = new UserBook(store, desk, clock);
  return {
    subscriptions,
    users,
    members: guardMembers(desk, store),
    replacing: openReplacing(users, desk, loads.lost),
    billing: new BillingDesk(store, writer, clock, {
      subscriptions,
      logBiller,
      onClosed: (end) => forgetSent(store, writer, end - journalDays * DAY, Math.floor(clock.now() / 1000)),
    }),
    disputes: new DisputeDesk(store, writer, clock),
    invoices: new InvoiceDesk(store, writer, clock, tax),
    findBill: async (octets) => {
      const asked = desk.openBillRequest(octets);
      if ('problem' in asked) return asked;
      const bill = await readUserBill(store, asked.cardId, MAX_BILL_LINES);
      return bill === undefined ? { problem: makeProblem('blocked-card') } : { bill };
    },
    findParties: async (account) => ({
      from,
      to: await users.writeAddress(account),
      services: new Map(services.list().map(({ plan }) => [plan.number, plan.name])),
    }),
  };
}
