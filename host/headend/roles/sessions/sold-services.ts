import { randomInt } from 'node:crypto';
import type { Clock } from '../../../clock/clock.ts';
import { formatSession, parseSession, type SessionIdentity } from '../../../contract/session/session-identity.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import { findFaults, hasForm } from '../../config/check-schema.ts';
import { ConfigError, FaultList } from '../../config/config-fault.ts';
import { SERVICE, type ServiceDefinition } from '../../config/config-schema.ts';
import { planService, type ServicePlan, type SessionPlan } from '../../config/service-plan.ts';

/** A session as it is kept. */
export interface KeptSession {
  /** Of its row. */
  readonly id: number;
  readonly identity: SessionIdentity;
  readonly plan: SessionPlan;
}

/** A service as it is sold now. */
export interface KeptService {
  readonly definition: ServiceDefinition;
  readonly plan: ServicePlan;
  readonly sessions: readonly KeptSession[];
}

/** A change that is in the log of changes. */
export interface LoggedChange {
  /** Seconds since 1970. */
  readonly at: number;
  readonly operator: string;
  readonly action: string;
  readonly subject: string;
  /** What it is now, JSON; null when it is gone. */
  readonly detail: string | null;
}

/** Name under which the configuration file's changes are logged. */
const CONFIGURATION = 'configuration';
/** Stands for the definition of a service that an operator removed, and that the configuration still has. */
const REMOVED = '';

/**
 * What is sold, in the database. A change of the configuration file is applied at the next start; what was changed at
 * run time stays until the file says something new about that service. Every change is logged.
 */
export class SoldServices {
  readonly #store: HeadendStore;
  readonly #clock: Clock;
  readonly #services = new Map<number, KeptService>();
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws ConfigError when a later version of this program has written what this one does not know. */
  static async open(store: HeadendStore, clock: Clock): Promise<SoldServices> {
    const services = new SoldServices(store, clock);
    for (const { definition } of await store.selectFrom('service').select('definition').execute()) {
      if (definition !== REMOVED) await services.#keep(readDefinition(JSON.parse(definition)));
    }
    return services;
  }

  private constructor(store: HeadendStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** By number. */
  list(): readonly KeptService[] {
    return [...this.#services.values()].toSorted((a, b) => a.plan.number - b.plan.number);
  }

  find(number: number): KeptService | undefined {
    return this.#services.get(number);
  }

  /** Applies what the configuration says otherwise than at the last start. */
  async applyConfiguration(definitions: readonly ServiceDefinition[]): Promise<void> {
    const rows = await this.#store.selectFrom('service').select(['number', 'configured']).execute();
    for (const definition of definitions) {
      const before = rows.find(({ number }) => number === definition.number)?.configured;
      if (before === JSON.stringify(definition)) continue;
      await this.put(definition, CONFIGURATION);
      await this.#store
        .updateTable('service')
        .set({ configured: JSON.stringify(definition) })
        .where('number', '=', definition.number)
        .execute();
    }
    for (const { number, configured } of rows) {
      const isGone = configured !== null && !definitions.some((definition) => definition.number === number);
      if (isGone) await this.remove(number, CONFIGURATION);
    }
  }

  /**
   * Sells a service, or sells it otherwise.
   * @param value its definition, as the configuration has it.
   * @param operator who does it.
   * @throws ConfigError naming each field that cannot be used.
   */
  put(value: unknown, operator: string): Promise<KeptService> {
    const definition = readDefinition(value);
    this.#requireDistinct(definition);
    return this.#inTurn(async () => {
      const { number } = definition;
      const text = JSON.stringify(definition);
      const now = Math.floor(this.#clock.now() / 1000);
      await this.#store.transaction().execute(async (transaction) => {
        await transaction
          .insertInto('service')
          .values({ number, definition: text, configured: null, changedAt: now })
          .onConflict((conflict) => conflict.column('number').doUpdateSet({ definition: text, changedAt: now }))
          .execute();
        await transaction
          .insertInto('change')
          .values({ at: now, operator, action: 'put', subject: `service ${number}`, detail: text })
          .execute();
      });
      return this.#keep(definition);
    });
  }

  /** Sells a service no longer. @returns whether it was sold. */
  remove(number: number, operator: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const at = Math.floor(this.#clock.now() / 1000);
      const wasThere = this.#services.delete(number);
      await this.#store.transaction().execute(async (transaction) => {
        const row = transaction.deleteFrom('service').where('number', '=', number);
        if (operator === CONFIGURATION) await row.execute();
        else {
          await row.where('configured', 'is', null).execute();
          const gone = { definition: REMOVED, changedAt: at };
          await transaction.updateTable('service').set(gone).where('number', '=', number).execute();
        }
        if (!wasThere) return;
        await transaction
          .insertInto('change')
          .values({ at, operator, action: 'remove', subject: `service ${number}`, detail: null })
          .execute();
      });
      return wasThere;
    });
  }

  /** Logs something that an operator did to something else than a service. */
  async log(operator: string, action: string, subject: string, detail: unknown = null): Promise<void> {
    const at = Math.floor(this.#clock.now() / 1000);
    const text = detail === null ? null : JSON.stringify(detail);
    await this.#store.insertInto('change').values({ at, operator, action, subject, detail: text }).execute();
  }

  /** The last changes, the newest first. */
  async changes(limit: number): Promise<readonly LoggedChange[]> {
    return this.#store.selectFrom('change').selectAll().orderBy('id', 'desc').limit(limit).execute();
  }

  async #keep(definition: ServiceDefinition): Promise<KeptService> {
    const faults = new FaultList();
    const plan = planService(definition, [], faults);
    if (plan === undefined || faults.faults.length > 0) throw new ConfigError(faults.faults);
    const sessions: KeptSession[] = [];
    for (const session of plan.sessions) sessions.push(await this.#keepSession(plan.number, session));
    const kept = { definition, plan, sessions };
    this.#services.set(plan.number, kept);
    return kept;
  }

  /** Gives a session its row. One without an origin gets one that stays its own. */
  async #keepSession(service: number, plan: SessionPlan): Promise<KeptSession> {
    const known = await this.#store
      .selectFrom('session')
      .selectAll()
      .where('service', '=', service)
      .where('name', '=', plan.name)
      .executeTakeFirst();
    const asked = plan.origin && formatSession(plan.origin);
    if (known !== undefined && (asked === undefined || asked === known.origin)) {
      return { id: known.id, identity: parseSession(known.origin), plan };
    }
    const origin = asked ?? formatSession(this.#makeIdentity(plan));
    const { id } = await this.#store
      .insertInto('session')
      .values({ service, name: plan.name, origin })
      .onConflict((conflict) => conflict.columns(['service', 'name']).doUpdateSet({ origin }))
      .returning('id')
      .executeTakeFirstOrThrow();
    return { id, identity: parseSession(origin), plan };
  }

  #makeIdentity({ to }: SessionPlan): SessionIdentity {
    return { user: 'tollcast', id: `${this.#clock.now()}${randomInt(1000, 10_000)}`, address: to.interface };
  }

  /** @throws ConfigError when a session of another service has its origin or is sent to its address. */
  #requireDistinct({ number, sessions }: ServiceDefinition): void {
    const faults = new FaultList();
    const others = this.list().filter(({ plan }) => plan.number !== number);
    for (const other of others.flatMap((service) => service.sessions)) {
      const origin = formatSession(other.identity);
      const address = `${other.plan.to.address}:${other.plan.to.port}`;
      for (const [i, session] of sessions.entries()) {
        if (session.origin?.trim() === origin) {
          faults.add(['sessions', i, 'origin'], 'another session has this origin; every session has its own');
        }
        if (session.address === address) {
          faults.add(['sessions', i, 'address'], 'another session is sent there; choose another port');
        }
      }
    }
    if (faults.faults.length > 0) throw new ConfigError(faults.faults);
  }

  /** Changes come one after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function readDefinition(value: unknown): ServiceDefinition {
  if (!hasForm(SERVICE, value)) throw new ConfigError(findFaults(SERVICE, value));
  const faults = new FaultList();
  if (planService(value, [], faults) === undefined || faults.faults.length > 0) throw new ConfigError(faults.faults);
  return value;
}
