import { createHash } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import { encodeSapPacket } from '../../contract/announcement/sap-packet.ts';
import { UdpSender } from '../../transport/network/udp-sender.ts';
import type { HeadendPlan } from '../config/headend-plan.ts';
import type { Log } from '../roles/log.ts';
import type { ListChanges } from './list-changes.ts';

/** Announcements live as long as their scope; the address bounds it (RFC 2974 3). */
const TTL = 255;

/** ms between two announcements, however often members come and go. */
const MIN_INTERVAL = 1000;

export interface SapAnnouncerPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Members that come and go are told of at once. */
  readonly changes: ListChanges;
}

/** Announces sessions by SAP, RFC 2974: each is repeated, and one that is sold no longer is taken back. */
export class SapAnnouncer {
  readonly #list: () => readonly string[];
  readonly #sender: UdpSender;
  readonly #source: Uint8Array;
  readonly #interval: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changes: ListChanges;
  #announced: readonly string[] = [];

  /** @param list gives the SDP of each session that is sold. */
  static async open(
    plan: HeadendPlan['announce'],
    list: () => readonly string[],
    ports: SapAnnouncerPorts,
  ): Promise<SapAnnouncer> {
    const sender = await UdpSender.open({ ...plan, ttl: TTL });
    return new SapAnnouncer(plan, list, sender, ports);
  }

  private constructor(
    { interval, interface: address }: HeadendPlan['announce'],
    list: () => readonly string[],
    sender: UdpSender,
    { clock, log, changes }: SapAnnouncerPorts,
  ) {
    this.#list = list;
    this.#sender = sender;
    this.#source = Uint8Array.from(address.split('.').map(Number));
    this.#interval = interval * 1000;
    this.#clock = clock;
    this.#log = log;
    this.#changes = changes;
  }

  /** Announces until `signal` aborts. A head-end that stops takes nothing back: it comes again. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#changes.end(), { once: true });
    try {
      while (!signal.aborted) {
        this.#announce();
        await this.#clock.sleep(MIN_INTERVAL, signal);
        await this.#changes.wait(this.#interval - MIN_INTERVAL);
      }
    } catch (error) {
      if (!signal.aborted) this.#log.error({ err: error }, 'nothing is announced any more');
    } finally {
      await this.#sender.close();
    }
  }

  #announce(): void {
    const sdps = this.#list();
    for (const gone of this.#announced.filter((sdp) => !sdps.includes(sdp))) this.#send(gone, true);
    for (const sdp of sdps) this.#send(sdp, false);
    this.#announced = sdps;
  }

  #send(sdp: string, isDeletion: boolean): void {
    // RFC 2974 3: it changes with what is announced.
    const hash = createHash('sha256').update(sdp).digest().readUInt16BE();
    try {
      this.#sender.send(encodeSapPacket({ isDeletion, hash, source: this.#source, sdp }));
    } catch (error) {
      this.#log.warn({ err: error }, 'a session is not announced');
    }
  }
}
