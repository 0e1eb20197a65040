import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deriveCardKey } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { detailsOf, type Problem } from '../../../../host/contract/answers/problem.ts';
import { formatLoadReply } from '../../../../host/contract/loads/load-messages.ts';
import { StoreBilling } from '../../../../host/headend/charging/store-billing.ts';
import { sealGrant } from '../../../../host/headend/keys/grants/grant.ts';
import { LoadRole } from '../../../../host/headend/loads/load-role.ts';
import type { SoldSession } from '../../../../host/headend/membership/sold-session.ts';
import { SentJournal } from '../../../../host/headend/meter/sent-journal.ts';
import { ReceiptRole } from '../../../../host/headend/receipts/receipt-role.ts';
import { RequestDesk } from '../../../../host/headend/requests/request-desk.ts';
import type { SessionKeys } from '../../../../host/headend/requests/session-keys.ts';
import type { PostJson } from '../../../../host/holder/loads/fetch-load.ts';
import type { PostReply } from '../../../../host/holder/requests/subscription.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { ISSUER } from '../../issuer-desk.ts';
import type { IssuerFixture } from '../../issuer-fixture.ts';
import { SimulatedClock } from '../../simulated-clock.ts';
import { NOW } from '../sample-offer.ts';
import { TIMELINE_SESSION } from '../timeline-names.ts';

/** Micro-units of 1,000,000 octets, by purse: one an octet. */
export const PRICE = 1_000_000n;
/** Micro-units of an hour, by invoice. */
export const HOUR_PRICE = 5_000_000n;
const QUANTUM = 20_000n;
const CURRENCY = currencyByCode('USD');
/** Content by purse, delivery by invoice. */
export const SOLD: SoldSession = {
  session: TIMELINE_SESSION,
  service: 7,
  sessionHash: '5a'.repeat(20),
  charges: {
    terms: [
      { part: 'content', payer: 'user', tariff: { kind: 'octets', price: PRICE }, settlement: 'purse' },
      { part: 'delivery', payer: 'user', tariff: { kind: 'duration', price: HOUR_PRICE }, settlement: 'invoice' },
    ],
    currency: CURRENCY,
  },
  from: 0,
  to: 0xffff_ffff,
  classes: ['card', 'soft'],
  confirmTimeout: 30,
};
/** The key that each card has of the service. */
export const SERVICE_KEY = { keyId: 1, octets: new Uint8Array(16).fill(0x77) } as const;

/** All of a head-end that has to do with money, over one database, in one process: it can crash and be opened again. */
export class WholeDesk implements AsyncDisposable {
  readonly clock = new SimulatedClock(NOW * 1000);
  readonly #issuer: IssuerFixture;
  readonly #folder: string;
  #state: string;
  #crashes = 0;
  #mediaTime = 0;
  #keyId = 0;
  #writer!: GroupWriter;
  store!: HeadendStore;
  requests!: RequestDesk;
  receipts!: ReceiptRole;
  loads!: LoadRole;
  journal!: SentJournal;

  static async open(issuer: IssuerFixture): Promise<WholeDesk> {
    const desk = new WholeDesk(issuer, await mkdtemp(join(tmpdir(), 'tollcast-whole-')));
    await desk.#open();
    return desk;
  }

  private constructor(issuer: IssuerFixture, folder: string) {
    this.#issuer = issuer;
    this.#folder = folder;
    this.#state = join(folder, 'state-0');
  }

  /** Seconds since 1970. */
  get now(): number {
    return Math.floor(this.clock.now() / 1000);
  }

  /** Media time never runs backwards, whatever the clock does. */
  get mediaTime(): number {
    this.#mediaTime = Math.max(this.#mediaTime, this.now);
    return this.#mediaTime;
  }

  /** Of the stream that is sent now. */
  get ssrc(): number {
    return 2 + 2 * this.#crashes;
  }

  /** Of a content key: each is given once. */
  takeKeyId(): number {
    return ++this.#keyId;
  }

  /** Lets time pass, and does what is due. */
  async pass(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000);
    await this.requests.tick();
  }

  /** Sets the clock, as NTP does. */
  async step(seconds: number): Promise<void> {
    this.clock.set(this.clock.now() + seconds * 1000);
    await this.requests.tick();
  }

  /** The power goes. What opens again finds the disk as it was then; nothing says goodbye. */
  async crash(): Promise<void> {
    await this.#writer.commit([]);
    const image = join(this.#folder, `state-${++this.#crashes}`);
    // The index of the log is shared memory: a machine that starts anew has none.
    await cp(this.#state, image, { recursive: true, filter: (name) => !name.endsWith('-shm') });
    await this.#letGo();
    this.#state = image;
    await this.#open();
    await this.requests.tick();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#letGo();
    await rm(this.#folder, { recursive: true });
  }

  /** Has what a card asks for answered, as HTTP does. */
  readonly postRequest = async (octets: Uint8Array): Promise<PostReply> => {
    const reply = await this.requests.answer(octets);
    if ('problem' in reply) return problemReply(reply.problem);
    return { status: 200, body: new TextEncoder().encode(reply.answer) };
  };

  readonly postReceipts = async (octets: Uint8Array): Promise<PostReply> => {
    const reply = await this.receipts.desk.take(octets);
    return 'problem' in reply ? problemReply(reply.problem) : { status: 200, body: reply.acknowledgement };
  };

  readonly postLoad: PostJson = async (path, body, headers) => {
    const { request = '', proof = '' } = Object(body) as { request?: string; proof?: string };
    const isAsked = path === '/v1/loads';
    const reply = isAsked
      ? await this.loads.desk!.ask({ request, key: headers['idempotency-key']! })
      : await this.loads.desk!.prove(proof);
    if ('problem' in reply) return problemReply(reply.problem);
    const text = 'state' in reply ? formatLoadReply(reply) : JSON.stringify(reply);
    return { status: 200, body: new TextEncoder().encode(text) };
  };

  /** Lets a card fetch a load that was paid; the same again changes nothing. */
  async grantLoad(name: string, cardId: string, amount: bigint): Promise<void> {
    await this.loads.credits!.grant({ name, kind: 'cash', cardId, money: { amount, currency: CURRENCY } }, 'test');
  }

  async #open(): Promise<void> {
    const { store: directory, keys } = this.#issuer;
    const { clock } = this;
    this.store = await openHeadendStore(this.#state);
    this.#writer = new GroupWriter(headendDatabase(this.#state));
    const shared = { store: this.store, writer: this.#writer, clock };
    const log = { error: () => undefined };
    const receiptMaster = await keys.open('receipt');
    this.receipts = await ReceiptRole.open({ ...shared, receiptMaster, issuer: ISSUER, directory, log });
    const openMaster = (name: Parameters<typeof keys.open>[0]) => keys.open(name);
    this.loads = await LoadRole.open({ ...shared, receipts: this.receipts, isConfigured: true, openMaster });
    this.requests = await RequestDesk.open({
      ...shared,
      masters: new Map([[ISSUER, await keys.open('uplink')]]),
      offers: { find: (hash) => (hash === SOLD.sessionHash ? SOLD : undefined), isBilledByLog: () => false },
      keys: new OneKey(await keys.open('unique')),
      charging: { mode: 'forward', billing: new StoreBilling(this.#writer) },
    });
    const tariff = { kind: 'octets', price: PRICE } as const;
    this.journal = new SentJournal(this.#writer, { ...SOLD, tariff, currency: CURRENCY });
    this.journal.keyChanged(1);
    await this.journal.begin(this.ssrc, this.mediaTime);
  }

  async #letGo(): Promise<void> {
    await this.receipts.accounts?.close();
    await this.#writer.close();
    await this.store.destroy();
  }
}

/** A key manager of one service key, which each card gets for its own time. */
class OneKey implements SessionKeys {
  readonly #uniqueMaster: Uint8Array;

  constructor(uniqueMaster: Uint8Array) {
    this.#uniqueMaster = uniqueMaster;
  }

  grant({ cardId, from, to, takeNumber }: Parameters<SessionKeys['grant']>[0]): ReturnType<SessionKeys['grant']> {
    const ceilings = {
      perMegabyte: PRICE,
      perHour: 0n,
      flat: 0n,
      groupOctets: 4_000_000,
      groupDuration: 1000,
      quantum: QUANTUM,
    };
    const key = { keyId: SERVICE_KEY.keyId, key: SERVICE_KEY.octets };
    const purchase = { service: SOLD.service, ...key, from, to, number: takeNumber(), ceilings };
    const downlinkKey = deriveCardKey(this.#uniqueMaster, 'downlink', cardId);
    return { messages: [sealGrant(purchase, cardId, downlinkKey).octets], segments: [{ id: 1, from, to }] };
  }

  end(): void {
    // Who left is sent no content key any more.
  }
}

function problemReply(problem: Problem): PostReply {
  const details = detailsOf(problem);
  return { status: details.status, body: new TextEncoder().encode(JSON.stringify(details)) };
}
