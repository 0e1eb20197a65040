import type { FastifyBaseLogger } from 'fastify';
import type { MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { type HeadendStore, openHeadendStore } from '../../store/headend/headend-store.ts';
import { type NamedSigner, openOfferSigner } from '../announce/offer-signer.ts';
import { OpenOffers } from '../announce/open-offers.ts';
import { makeApi } from '../api/api-server.ts';
import type { Api } from '../api/api.ts';
import { openTlsIdentity } from '../api/tls-identity.ts';
import type { Config } from '../config/read-config.ts';
import { lockService } from '../keys/service-lock.ts';
import type { SessionKeyManager } from '../keys/session-key-manager.ts';
import { makeMetrics } from './metrics.ts';
import { Operators } from './operators.ts';
import { SessionBook } from './session-book.ts';
import { SessionRunner } from './session-runner.ts';
import { type KeptService, SoldServices } from './sold-services.ts';

export interface HeadendOptions {
  readonly config: Config;
  /** Opens a master of the issuer store, 16 octets. */
  readonly openMaster: (name: MasterName) => Promise<Uint8Array>;
  readonly log: FastifyBaseLogger;
  readonly clock?: Clock;
}

/** A session that is being sent. */
interface RunningSession {
  readonly keys: SessionKeyManager;
  readonly runner: SessionRunner;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** A running service; what it is made of stays the same until its definition changes. */
interface RunningService {
  readonly kept: KeptService;
  readonly lock: Disposable;
  readonly sessions: ReadonlyMap<string, RunningSession>;
}

/** ms between two looks at whether offers are to be renewed. */
const RENEW_INTERVAL = 600_000;

/** A whole head-end in one process: it sends what is sold, offers it, and lets operators change it. */
export class Headend {
  /** How receivers reach the API. */
  readonly url: string;
  readonly signer: NamedSigner;
  readonly #options: HeadendOptions;
  readonly #clock: Clock;
  readonly #store: HeadendStore;
  readonly #services: SoldServices;
  readonly #offers: OpenOffers;
  readonly #book: SessionBook;
  readonly #running = new Map<number, RunningService>();
  readonly #stop = new AbortController();
  #api: Api | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #change: Promise<unknown> = Promise.resolve();

  /**
   * Starts all roles. What was sold before goes on.
   * @throws ConfigError, StoreError, IssuerError, TollcastError `TLS_FILES`, `SIGNING_KEY`, `SERVICE_TAKEN`.
   */
  static async start(options: HeadendOptions): Promise<Headend> {
    const { config, openMaster, clock = systemClock, log } = options;
    const { plan } = config;
    const store = await openHeadendStore(plan.state);
    try {
      const uniqueMaster = await openMaster('unique');
      const url = plan.url ?? `https://${plan.listen.address}:${plan.listen.port}`;
      const tls = await openTlsIdentity(plan.state, plan.tls, new URL(url).hostname);
      const signer = await openOfferSigner(plan.state, plan.signing.id, plan.signing.key);
      const services = await SoldServices.open(store, clock);
      await services.applyConfiguration(config.definition.services);
      const offers = new OpenOffers(store, signer, { url, tlsKey: tls.fingerprint }, clock);
      const book = new SessionBook({ store, uniqueMaster, clock, log });
      const headend = new Headend(options, { url, signer, clock, store, services, offers, book });
      await headend.#open(tls);
      return headend;
    } catch (error) {
      await store.destroy();
      throw error;
    }
  }

  private constructor(
    options: HeadendOptions,
    parts: {
      readonly url: string;
      readonly signer: NamedSigner;
      readonly clock: Clock;
      readonly store: HeadendStore;
      readonly services: SoldServices;
      readonly offers: OpenOffers;
      readonly book: SessionBook;
    },
  ) {
    this.#options = options;
    this.url = parts.url;
    this.signer = parts.signer;
    this.#clock = parts.clock;
    this.#store = parts.store;
    this.#services = parts.services;
    this.#offers = parts.offers;
    this.#book = parts.book;
  }

  /** Ends all streams; viewers wait for the head-end to come back. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#api?.close();
    await this.#change.catch(() => undefined);
    await this.#renewing;
    for (const number of this.#running.keys()) await this.#stopService(number);
    await this.#book.settle();
    await this.#store.destroy();
  }

  async #open(tls: Awaited<ReturnType<typeof openTlsIdentity>>): Promise<void> {
    const { config, log } = this.#options;
    const { plan } = config;
    try {
      await this.#offers.renew(this.#services.list());
      for (const service of this.#services.list()) await this.#startService(service);
      const operators = new Operators(this.#store, this.#clock);
      await operators.makeFirst(plan.state);
      const api = await makeApi(
        {
          offers: this.#offers,
          operators,
          services: {
            list: () => this.#services.list(),
            find: (number) => this.#services.find(number),
            changes: (limit) => this.#services.changes(limit),
            put: (definition, operator) => this.#put(definition, operator),
            remove: (number, operator) => this.#remove(number, operator),
          },
          sending: { stateOf: (service, session) => this.#stateOf(service, session) },
          metrics: makeMetrics(() => this.#listRunning()),
        },
        { tls, log },
      );
      this.#api = api;
      await api.listen({ host: plan.listen.address, port: plan.listen.port });
      this.#renewing = this.#keepOffers();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** The port that the API listens on. */
  get port(): number {
    const address = this.#api?.server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.config.plan.listen.port;
  }

  /** Ends when every session's file has ended, or the head-end was closed; a live session has no end. */
  async ended(): Promise<void> {
    await Promise.all(this.#listRunning().map(({ done }) => done));
  }

  #listRunning(): {
    readonly service: number;
    readonly session: string;
    readonly runner: SessionRunner;
    readonly done: Promise<void>;
  }[] {
    return [...this.#running].flatMap(([service, { sessions }]) =>
      [...sessions].map(([session, { runner, done }]) => ({ service, session, runner, done })),
    );
  }

  #stateOf(service: number, session: string) {
    const running = this.#running.get(service)?.sessions.get(session);
    if (running === undefined) return undefined;
    const { runner, keys } = running;
    return { isSending: runner.isSending, strategy: keys.strategy, totals: runner.totals };
  }

  async #put(definition: unknown, operator: string): Promise<KeptService> {
    return this.#inTurn(async () => {
      const kept = await this.#services.put(definition, operator);
      await this.#stopService(kept.plan.number);
      await this.#offers.renew(this.#services.list());
      await this.#startService(kept);
      return kept;
    });
  }

  async #remove(number: number, operator: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const wasSold = await this.#services.remove(number, operator);
      await this.#stopService(number);
      await this.#offers.renew(this.#services.list());
      return wasSold;
    });
  }

  async #startService(kept: KeptService): Promise<void> {
    const { plan } = kept;
    const { issuer } = this.#options.config.plan;
    const lock = lockService(issuer, plan.number);
    const sessions = new Map<string, RunningSession>();
    this.#running.set(plan.number, { kept, lock, sessions });
    for (const session of kept.sessions) {
      const keys = await this.#book.open(plan, session, []);
      const runner = new SessionRunner(session.plan, keys, this.#clock, this.#options.log);
      const stop = new AbortController();
      const done = runner.run(AbortSignal.any([stop.signal, this.#stop.signal]));
      sessions.set(session.plan.name, { keys, runner, stop, done });
      const { address, port } = session.plan.to;
      this.#options.log.info({ service: plan.number, session: session.plan.name, to: `${address}:${port}` }, 'sending');
    }
  }

  async #stopService(number: number): Promise<void> {
    const running = this.#running.get(number);
    if (running === undefined) return;
    for (const { stop } of running.sessions.values()) stop.abort();
    await Promise.all([...running.sessions.values()].map(({ done }) => done));
    running.lock[Symbol.dispose]();
    this.#running.delete(number);
  }

  async #keepOffers(): Promise<void> {
    try {
      for (;;) {
        await this.#clock.sleep(RENEW_INTERVAL, this.#stop.signal);
        await this.#inTurn(() => this.#offers.renew(this.#services.list()));
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
