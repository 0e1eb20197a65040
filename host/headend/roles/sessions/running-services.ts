import { formatSession } from '../../../contract/session/session-identity.ts';
import type { GroupWriter } from '../../../store/group-writer.ts';
import { lockService } from '../../keys/numbers/service-lock.ts';
import type { SessionKeyManager } from '../../keys/session-key-manager.ts';
import type { MemberList } from '../../membership/member-list.ts';
import { SentJournal } from '../../meter/sent-journal.ts';
import type { ServiceTotals } from '../../sender/service-sender.ts';
import type { SentOctets, Sending } from './sent-octets.ts';
import type { SessionBook } from './session-book.ts';
import type { SessionRouter } from './session-router.ts';
import { SessionRunner, type SessionRunnerPorts } from './session-runner.ts';
import type { KeptService } from './sold-services.ts';

export interface RunningServicesOptions extends SessionRunnerPorts {
  readonly book: SessionBook;
  readonly router: SessionRouter;
  readonly members: MemberList;
  readonly meter: Pick<SentOctets, 'keep'>;
  readonly writer: Pick<GroupWriter, 'commit'>;
  /** Directory of the locks, the issuer store: `headend send` takes the same. */
  readonly locks: string;
}

/** A session that is being sent. */
interface RunningSession {
  readonly service: number;
  /** As `formatSession` writes it. */
  readonly identity: string;
  /** Its name in the service. */
  readonly session: string;
  readonly keys: SessionKeyManager;
  readonly runner: SessionRunner;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

interface RunningService {
  readonly lock: Disposable;
  readonly sessions: readonly RunningSession[];
}

/** The services that this process sends. */
export class RunningServices {
  readonly #options: RunningServicesOptions;
  readonly #services = new Map<number, RunningService>();

  constructor(options: RunningServicesOptions) {
    this.#options = options;
  }

  /** All sessions that are sent, or whose file has ended. */
  list(): readonly RunningSession[] {
    return [...this.#services.values()].flatMap(({ sessions }) => sessions);
  }

  /** What they have sent, for the meter. */
  sent(): readonly Sending[] {
    return this.list().map(({ identity, runner }) => ({ session: identity, octets: runner.totals.octets }));
  }

  /** @param session its name in the service. */
  stateOf(
    service: number,
    session: string,
  ): { isSending: boolean; strategy: string; totals: ServiceTotals } | undefined {
    const running = this.#services.get(service)?.sessions.find((one) => one.session === session);
    if (running === undefined) return undefined;
    const { runner, keys } = running;
    return { isSending: runner.isSending, strategy: keys.strategy, totals: runner.totals };
  }

  /** @throws TollcastError `SERVICE_TAKEN` when another process sends the service. */
  async start({ plan, sessions }: KeptService): Promise<void> {
    const { book, router, members, log, locks, writer } = this.#options;
    const lock = lockService(locks, plan.number);
    const started: RunningSession[] = [];
    this.#services.set(plan.number, { lock, sessions: started });
    for (const session of sessions) {
      const identity = formatSession(session.identity);
      const keys = await book.open(plan, session, members.members(identity));
      router.set(identity, keys);
      const { number, tariff, currency } = plan;
      const journal = new SentJournal(writer, { service: number, session: identity, tariff, currency });
      const runner = new SessionRunner(session.plan, keys, journal, this.#options);
      const stop = new AbortController();
      const done = runner.run(stop.signal);
      const { name, to } = session.plan;
      started.push({ service: plan.number, identity, session: name, keys, runner, stop, done });
      log.info({ service: plan.number, session: name, to: `${to.address}:${to.port}` }, 'sending');
    }
  }

  /** Ends its streams; viewers wait for them to come back. */
  async stop(number: number): Promise<void> {
    const running = this.#services.get(number);
    if (running === undefined) return;
    for (const { stop } of running.sessions) stop.abort();
    for (const { done, identity, runner } of running.sessions) {
      await done;
      this.#options.router.delete(identity);
      this.#options.meter.keep(identity, runner.totals.octets);
    }
    running.lock[Symbol.dispose]();
    this.#services.delete(number);
  }

  /** Ends when every session's file has ended; a live session has no end. */
  async ended(): Promise<void> {
    await Promise.all(this.list().map(({ done }) => done));
  }

  async close(): Promise<void> {
    for (const number of this.#services.keys()) await this.stop(number);
    await this.#options.book.settle();
  }
}
