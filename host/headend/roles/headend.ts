import { GroupWriter } from '../../store/group-writer.ts';
import { headendDatabase, openHeadendStore } from '../../store/headend/headend-store.ts';
import type { NamedSigner } from '../announce/offer-signer.ts';
import { SapAnnouncer } from '../announce/sap-announcer.ts';
import { makeApi } from '../api/api-server.ts';
import type { Api } from '../api/api.ts';
import { explainListen } from './explain-listen.ts';
import { assembleHeadend, type HeadendOptions, type HeadendParts } from './headend-parts.ts';
import { makeMetrics } from './metrics.ts';
import { openInvoicing } from './money/invoicing.ts';
import { loadSchemes } from './money/load-schemes.ts';
import { Operators } from './operators.ts';
import { describeSessions } from './sessions/describe-sessions.ts';
import { SoldLog } from './sessions/sold-log.ts';
import type { KeptService } from './sessions/sold-services.ts';

/** ms between two looks at whether offers are to be renewed. */
const RENEW_INTERVAL = 600_000;

/** A whole head-end in one process: it sends what is sold, offers it, answers cards, and lets operators change it. */
export class Headend {
  /** How receivers reach the API. */
  readonly url: string;
  readonly signer: NamedSigner;
  readonly #options: HeadendOptions;
  readonly #parts: HeadendParts;
  readonly #stop = new AbortController();
  readonly #tasks: Promise<unknown>[] = [];
  readonly #failed = Promise.withResolvers<Error>();
  #failure: Error | undefined;
  #api: Api | undefined;
  #change: Promise<unknown> = Promise.resolve();

  /**
   * Starts all roles. What was sold before goes on.
   * @throws ConfigError, StoreError, IssuerError, TollcastError `TLS_FILES`, `SIGNING_KEY`, `SERVICE_TAKEN`.
   */
  static async start(options: HeadendOptions): Promise<Headend> {
    const { plan } = options.config;
    await loadSchemes(plan.schemes);
    const store = await openHeadendStore(plan.state);
    const writer = new GroupWriter(headendDatabase(plan.state));
    try {
      const headend = new Headend(options, await assembleHeadend(options, store, writer));
      await headend.#open();
      return headend;
    } catch (error) {
      await writer.close();
      await store.destroy();
      throw error;
    }
  }

  private constructor(options: HeadendOptions, parts: HeadendParts) {
    this.#options = options;
    this.#parts = parts;
    this.url = parts.url;
    this.signer = parts.signer;
  }

  /** Ends all streams; viewers wait for the head-end to come back. */
  async close(): Promise<void> {
    const { running, meter, writer, store, numbers, standings } = this.#parts;
    await this.#halt();
    await running.close();
    await meter.note();
    await this.#parts.receipts?.close();
    await writer.close();
    await store.destroy();
    numbers[Symbol.dispose]();
    standings[Symbol.dispose]();
  }

  /** Ends when every session's file has ended, or the head-end was closed; a live session has no end. */
  async ended(): Promise<void> {
    await this.#parts.running.ended();
  }

  /** Settles with the reason when it cannot go on: it is then to be closed, and started anew. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  async #open(): Promise<void> {
    const { clock, services, offers, running, meter, desk, points } = this.#parts;
    const { plan } = this.#options.config;
    try {
      await offers.renew(services.list());
      meter.holdAgainst(desk.entries());
      for (const service of services.list()) await running.start(service);
      await this.#listen();
      const { signal } = this.#stop;
      const announcer = await SapAnnouncer.open(plan.announce, () => describeSessions(this.#parts), {
        clock,
        log: this.#options.log,
        changes: this.#parts.changes,
      });
      const { log } = this.#options;
      const works = [
        announcer.run(signal),
        desk.run(signal),
        meter.run(clock, signal),
        points.run(clock, signal, (err) => log.error({ err }, 'the pairs of cards could not be read')),
        this.#parts.receipts?.run(signal) ?? Promise.resolve(),
        this.#parts.logBiller.run(signal),
        this.#keepOffers(),
      ];
      for (const work of works) this.#tasks.push(work.catch((error: unknown) => this.#fail(error)));
      this.#options.log.info({ url: this.url, state: plan.state }, 'the head-end runs');
    } catch (error) {
      await this.#halt();
      await running.close();
      await this.#parts.receipts?.close();
      throw error;
    }
  }

  async #listen(): Promise<void> {
    const { clock, store, tls, services, offers, running, desk } = this.#parts;
    const { config, log } = this.#options;
    const { state, listen } = config.plan;
    const operators = new Operators(store, clock);
    await operators.makeFirst(state);
    const api = await makeApi(
      {
        offers,
        operators,
        desk,
        receipts: this.#parts.receipts?.desk,
        reconciling: this.#parts.reconciling,
        loads: this.#parts.loads,
        findFailure: () => this.#failure,
        services: {
          list: () => services.list(),
          find: (number) => services.find(number),
          changes: (limit) => services.changes(limit),
          put: (definition, operator) => this.#put(definition, operator),
          remove: (number, operator) => this.#remove(number, operator),
        },
        sending: running,
        ...openInvoicing(config.plan, this.#parts),
        log: new SoldLog(store),
        note: (operator, action, subject) => services.log(operator, action, subject),
        metrics: makeMetrics(
          () => running.list(),
          (session) => [...desk.members(session)].length,
        ),
      },
      { tls, log },
    );
    this.#api = api;
    try {
      await api.listen({ host: listen.address, port: listen.port });
    } catch (cause) {
      throw explainListen(cause, `${listen.address}:${listen.port}`);
    }
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#failed.resolve(this.#failure);
  }

  async #halt(): Promise<void> {
    this.#stop.abort();
    await this.#api?.close();
    await Promise.all([this.#change, ...this.#tasks]);
  }

  async #put(definition: unknown, operator: string): Promise<KeptService> {
    return this.#inTurn(async () => {
      const { services, running, offers } = this.#parts;
      const kept = await services.put(definition, operator);
      await running.stop(kept.plan.number);
      await offers.renew(services.list());
      await running.start(kept);
      return kept;
    });
  }

  async #remove(number: number, operator: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const { services, running, offers } = this.#parts;
      const wasSold = await services.remove(number, operator);
      await running.stop(number);
      await offers.renew(services.list());
      return wasSold;
    });
  }

  async #keepOffers(): Promise<void> {
    const { clock, offers, services } = this.#parts;
    try {
      for (;;) {
        await clock.sleep(RENEW_INTERVAL, this.#stop.signal);
        await this.#inTurn(() => offers.renew(services.list()));
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#options.log.error({ err: error }, 'offers are not renewed any more');
    }
  }

  /** Changes come one after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#change.then(work, work);
    this.#change = done.catch(() => undefined);
    return done;
  }
}
