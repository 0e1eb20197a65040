import type { Clock } from '../../../clock/clock.ts';
import { loadOpensslAead } from '../../../transport/crypto/node-openssl-aead.ts';
import type { SessionPlan } from '../../config/service-plan.ts';
import type { SessionKeyManager } from '../../keys/session-key-manager.ts';
import type { SentJournal } from '../../meter/sent-journal.ts';
import { Lateness } from '../../sender/lateness.ts';
import { ServiceSender, type ServiceTotals } from '../../sender/service-sender.ts';
import { startStream } from '../../sender/stream-start.ts';
import { detectFormat, type Detected } from '../../sources/detect-format.ts';
import { openSource } from '../../sources/open-source.ts';
import { repeatSource } from '../../sources/repeat-source.ts';
import type { SourceFormat } from '../../sources/source-format.ts';
import type { Log } from '../log.ts';

/** ms for which the keys are on the wire before the first packet. */
const LEAD = 300;
/** ms until a source that failed is tried again, at first and at most. */
const MIN_PAUSE = 1000;
const MAX_PAUSE = 30_000;

export interface SessionRunnerPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Opens a source by its name; files, pipes and the network when left out. */
  readonly openSource?: typeof openSource | undefined;
}

/** Sends one session, from one stream to the next, until it is stopped or its file ends. */
export class SessionRunner {
  readonly plan: SessionPlan;
  readonly #keys: SessionKeyManager;
  readonly #journal: SentJournal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #openSource: typeof openSource;
  readonly #past: ServiceTotals[] = [];
  #sender: ServiceSender | undefined;
  #lateness = new Lateness();
  #format: SourceFormat;

  constructor(plan: SessionPlan, keys: SessionKeyManager, journal: SentJournal, ports: SessionRunnerPorts) {
    this.plan = plan;
    this.#format = plan.format ?? 'ts';
    this.#keys = keys;
    this.#journal = journal;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#openSource = ports.openSource ?? openSource;
  }

  /** What is sent, or was sent last; MPEG-TS before the first stream. */
  get format(): SourceFormat {
    return this.#format;
  }

  /** How late the packets of the newest stream went. */
  get lateness(): Lateness {
    return this.#lateness;
  }

  /** Whether a stream is being sent. */
  get isSending(): boolean {
    return this.#sender !== undefined;
  }

  /** What was sent since the start of the process. */
  get totals(): ServiceTotals {
    const all = this.#sender === undefined ? this.#past : [...this.#past, this.#sender.totals];
    const sum = (name: keyof ServiceTotals) => all.reduce((total, totals) => total + totals[name], 0);
    return {
      octets: sum('octets'),
      duration: sum('duration'),
      packets: sum('packets'),
      groups: sum('groups'),
      contentKeys: sum('contentKeys'),
      segments: sum('segments'),
    };
  }

  /** Sends until `signal` aborts, or a file that is not repeated ends. A source that fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    let pause = MIN_PAUSE;
    while (!signal.aborted) {
      const started = this.#clock.monotonic();
      try {
        const isLive = await this.#sendStream(signal);
        if (!isLive || signal.aborted) return;
        this.#log.warn({ session: this.plan.name }, 'the source ended; it is opened again');
      } catch (error) {
        if (signal.aborted) return;
        this.#log.error({ session: this.plan.name, err: error }, 'the source failed; it is opened again');
      }
      if (this.#clock.monotonic() - started > MAX_PAUSE) pause = MIN_PAUSE;
      try {
        await this.#clock.sleep(pause, signal);
      } catch {
        return;
      }
      pause = Math.min(2 * pause, MAX_PAUSE);
    }
  }

  /** @returns whether the source was a live one. */
  async #sendStream(signal: AbortSignal): Promise<boolean> {
    const { plan } = this;
    const { media, format, isLive } = await this.#detect(signal);
    const stream = this.#keys.startStream(startStream(this.#clock));
    await this.#journal.begin(stream.ssrc, stream.mediaTime);
    const sender = new ServiceSender({
      stream,
      source: { media, format, isLive, rate: plan.rate },
      profile: { ...plan.profile, aead: await loadOpensslAead() },
      keys: this.#keys,
      to: plan.to,
      pace: { speed: 1, lead: LEAD },
      resumes: true,
      clock: this.#clock,
      onKey: ({ id, segmentId }) => {
        this.#journal.keyChanged(segmentId);
        this.#log.debug({ session: plan.name, contentKey: id, segment: segmentId }, 'content key');
      },
      onGroup: (header) => this.#journal.count(header),
    });
    this.#sender = sender;
    this.#lateness = sender.lateness;
    this.#format = format;
    this.#log.info({ session: plan.name, ssrc: stream.ssrc, format }, 'a stream begins');
    try {
      await sender.run(signal);
    } finally {
      await this.#journal.close();
      this.#past.push({ ...sender.totals });
      this.#sender = undefined;
    }
    return isLive;
  }

  async #detect(signal: AbortSignal): Promise<Detected> {
    const { source, format, repeats, to } = this.plan;
    const open = () => this.#openSource(source, to.interface, signal, this.#clock);
    return detectFormat(repeats ? repeatSource(open, signal) : await open(), format, this.#clock);
  }
}
