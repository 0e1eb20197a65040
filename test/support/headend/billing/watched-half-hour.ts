import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'vitest';
import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { SimulatedClock } from '../../simulated-clock.ts';
import { sourceOf } from '../../streams/test-sender.ts';
import { type HeadendFixture, readJson, startHeadend } from '../headend-fixture.ts';
import { ServiceCapture } from '../service-capture.ts';
import { SoftViewer } from '../soft-viewer.ts';

/** What is watched: octets of content, sent at once at a rate in bit/s, every nth packet through the card. */
interface Watched {
  /** ms since 1970. */
  readonly start: number;
  readonly octets: number;
  readonly rate: number;
  readonly every: number;
}

interface PostedEntry {
  readonly id: number;
  readonly kind: string;
  readonly lines: readonly { readonly amount: string }[];
}

/** Content at 0.25 USD/MB from the card, delivery at 5.00 USD/h by invoice. */
const PRICE = {
  content: { price: '0.25 USD/MB' },
  delivery: { price: '5.00 USD/h', settlement: 'invoice' },
};

/**
 * Half an hour of service 7 in simulated time: a card joined, watched all that was sent and delivered its receipt; the
 * join is over and billed.
 */
export class WatchedHalfHour implements AsyncDisposable {
  readonly clock: SimulatedClock;
  readonly fixture: HeadendFixture;
  readonly viewer: SoftViewer;
  readonly #capture: ServiceCapture;
  /** The card, as accounts of the ledger name it. */
  readonly card: string;
  /** A configuration by which commands find the head-end. */
  readonly config: string;

  static async watch({ start, octets, rate, every }: Watched): Promise<WatchedHalfHour> {
    const clock = new SimulatedClock(start);
    const capture = await ServiceCapture.start();
    const viewer = await SoftViewer.start(1, 100_000_000n);
    const address = `${capture.address}:${capture.port}`;
    const profile = { every, closingTime: 1000 };
    const session = { name: 'main', source: 'memory', format: 'data', rate, address, profile };
    const service = { number: 7, name: 'Harbour', price: PRICE, sessions: [session] };
    const fixture = await startHeadend([service], { clock, openSource: async () => sourceOf([randomBytes(octets)]) });
    const watched = new WatchedHalfHour(clock, fixture, viewer, capture);
    const { directory, port } = fixture;
    const places = { listen: `127.0.0.1:${port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
    await writeFile(watched.config, JSON.stringify({ ...places, services: [] }));
    await watched.#watch(start / 1000);
    return watched;
  }

  private constructor(clock: SimulatedClock, fixture: HeadendFixture, viewer: SoftViewer, capture: ServiceCapture) {
    this.clock = clock;
    this.fixture = fixture;
    this.viewer = viewer;
    this.#capture = capture;
    this.card = formatCardId(viewer.cardId);
    this.config = join(fixture.directory, 'tv.json');
  }

  /** What stands in the ledger. */
  async readEntries(): Promise<readonly PostedEntry[]> {
    const answer = await this.fixture.askOperator('GET', '/v1/operator/billing/entries');
    return (readJson(answer) as { entries: PostedEntry[] }).entries;
  }

  async #watch(from: number): Promise<void> {
    const { clock, fixture, viewer } = this;
    while (!fixture.log.some(({ msg }) => msg === 'a stream begins')) await turn();
    const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
    const wish = { service: 7, offer: offers[0]!.id, from, to: from + 1800 };
    expect(await viewer.request(fixture, 'join', wish)).toMatchObject({ outcome: 'joined' });
    await clock.advance(20_000);
    await clock.advanceUntil(fixture.headend.ended());
    await turn();
    await viewer.follow(this.#capture, 7);
    await viewer.settle();
    expect(await viewer.deliver(fixture)).toBe(1);
    // One entry of the receipt, and one of the bill.
    while ((await this.readEntries()).length < 2) await clock.advance(60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fixture[Symbol.asyncDispose]();
    await this.viewer.close();
    await this.#capture.close();
  }
}
