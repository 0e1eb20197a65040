import { InputError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Currency } from '../../money/currency.ts';
import type { GroupWriter, StoreChange } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import type { SubscriptionTable } from '../../store/headend/tables/subscription-tables.ts';
import { makePeriodFee } from '../charging/post-bill.ts';
import { parseLedgerAccount } from '../ledger/ledger-account.ts';
import type { LedgerEntry } from '../ledger/ledger-entry.ts';

/** A component of a service that is paid by the period. */
export type Subscription = SubscriptionTable;

/** What subscriptions know of a service that is sold. */
interface PricedService {
  readonly components: readonly (Pick<SubscriptionTable, 'part' | 'payer' | 'price'> & {
    /** Seconds, where the price is for a period. */
    readonly period?: number;
  })[];
  readonly currency: Currency | undefined;
}

type FindService = (number: number) => { readonly plan: PricedService } | undefined;

const SUBSCRIBE = `insert into subscription (service, user, part, since, until, payer, seconds, price, currency)
  values (?, ?, ?, ?, null, ?, ?, ?, ?)
  on conflict (service, user, part, since) do update set until = null, payer = excluded.payer,
  seconds = excluded.seconds, price = excluded.price, currency = excluded.currency`;
const END = 'update subscription set until = ? where service = ? and user = ? and until is null';

/** Who pays a service by the period, whether it joins or not. */
export class Subscriptions {
  readonly #store: HeadendStore;
  readonly #writer: Pick<GroupWriter, 'commit'>;
  readonly #clock: Clock;
  readonly #findService: FindService;

  constructor(store: HeadendStore, writer: Pick<GroupWriter, 'commit'>, clock: Clock, findService: FindService) {
    this.#store = store;
    this.#writer = writer;
    this.#clock = clock;
    this.#findService = findService;
  }

  /**
   * Subscribes a user from now on, at the price of now; the same again changes nothing, another price is for the
   * periods that begin from now on.
   * @throws InputError when the service is not sold or has no price per period, or no user can have this name.
   */
  async subscribe(user: string, service: number): Promise<void> {
    parseLedgerAccount(`user:${user}`);
    const terms = this.#readTerms(service);
    const present = await this.#findPresent(user, service);
    const isSame =
      present.length === terms.length &&
      terms.every((one) =>
        present.some((other) => Object.entries(one).every(([name, value]) => Reflect.get(other, name) === value)),
      );
    if (isSame) return;
    const now = this.#now();
    const changes: StoreChange[] = present.length === 0 ? [] : [{ sql: END, values: [now, service, user] }];
    for (const { part, payer, seconds, price, currency } of terms) {
      changes.push({ sql: SUBSCRIBE, values: [service, user, part, now, payer, seconds, price, currency] });
    }
    await this.#writer.commit(changes);
  }

  /** Ends it: periods that begin later are not owed. @throws InputError when the user has no subscription. */
  async unsubscribe(user: string, service: number): Promise<void> {
    const present = await this.#findPresent(user, service);
    if (present.length === 0) {
      throw new InputError(`${user} has no subscription of service ${service}; check the name and the number`);
    }
    await this.#writer.commit([{ sql: END, values: [this.#now(), service, user] }]);
  }

  /** All that there are and were, by service, user and start. @param query of one service or user alone. */
  list({ service, user }: { readonly service?: number; readonly user?: string }): Promise<SubscriptionTable[]> {
    return this.#store
      .selectFrom('subscription')
      .selectAll()
      .$if(service !== undefined, (rows) => rows.where('service', '=', service!))
      .$if(user !== undefined, (rows) => rows.where('user', '=', user!))
      .orderBy('service')
      .orderBy('user')
      .orderBy('since')
      .orderBy('part')
      .execute();
  }

  /**
   * What is owed for the periods whose last second is in [from, to), each that a subscription touched.
   * @param from seconds since 1970, as `to`.
   */
  async readFees(from: number, to: number): Promise<LedgerEntry[]> {
    const rows = await this.#store
      .selectFrom('subscription')
      .selectAll()
      .where('since', '<', to)
      .orderBy('since')
      .execute();
    return rows.flatMap((row) => feesOf(row, from, to));
  }

  #readTerms(service: number): Pick<SubscriptionTable, 'part' | 'payer' | 'seconds' | 'price' | 'currency'>[] {
    const sold = this.#findService(service);
    if (sold === undefined) throw new InputError(`service ${service} is not sold here; check its number`);
    const { components, currency } = sold.plan;
    const terms = components.flatMap(({ part, payer, period: seconds, price }) =>
      seconds === undefined || currency === undefined
        ? []
        : [{ part, payer, seconds, price, currency: currency.number }],
    );
    if (terms.length === 0) {
      throw new InputError(`service ${service} has no price per period; nobody needs a subscription of it`);
    }
    return terms;
  }

  #findPresent(user: string, service: number): Promise<SubscriptionTable[]> {
    return this.#store
      .selectFrom('subscription')
      .selectAll()
      .where('service', '=', service)
      .where('user', '=', user)
      .where('until', 'is', null)
      .execute();
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

/** Periods are counted from 1970 on, as those of joins are. */
function feesOf({ since, until, seconds, ...fee }: SubscriptionTable, from: number, to: number): LedgerEntry[] {
  const fees: LedgerEntry[] = [];
  if (until !== null && until <= since) return fees;
  const first = Math.max(since, from + 1 - seconds);
  for (let start = first - (first % seconds); start + seconds <= to; start += seconds) {
    const last = start + seconds - 1;
    if (last < from || start >= (until ?? Infinity)) continue;
    fees.push(makePeriodFee(fee, start, last));
  }
  return fees;
}
