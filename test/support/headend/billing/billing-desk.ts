import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { type Clock, systemClock } from '../../../../host/clock/clock.ts';
import { detailsOf } from '../../../../host/contract/answers/problem.ts';
import { formatLoadReply } from '../../../../host/contract/loads/load-messages.ts';
import { LoadRole } from '../../../../host/headend/loads/load-role.ts';
import { SentJournal } from '../../../../host/headend/meter/sent-journal.ts';
import { ReceiptRole } from '../../../../host/headend/receipts/receipt-role.ts';
import { fetchLoad, type FetchedLoad, type PostJson } from '../../../../host/holder/loads/fetch-load.ts';
import { deliverReceipts } from '../../../../host/holder/receipts/deliver-receipts.ts';
import type { PostReply } from '../../../../host/holder/requests/subscription.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { ISSUER, type IssuerDesk } from '../../issuer-desk.ts';

/** The service of `watch`, at one micro-unit an octet. */
const SOLD = { service: 5, session: 'tollcast 1 127.0.0.1', currency: currencyByCode('USD') } as const;
export const PRICE = 1_000_000n;

/** The billing of a head-end with the accounts of an issuer: journal, receipts, loads. It can be started again. */
export class BillingDesk implements AsyncDisposable {
  readonly #issuer: IssuerDesk;
  readonly #state: string;
  readonly #clock: Clock;
  store!: HeadendStore;
  journal!: SentJournal;
  receipts!: ReceiptRole;
  loads!: LoadRole;
  #writer!: GroupWriter;

  static async open(issuer: IssuerDesk, clock: Clock = systemClock): Promise<BillingDesk> {
    const desk = new BillingDesk(issuer, await mkdtemp(join(tmpdir(), 'tollcast-billing-')), clock);
    await desk.#start(2);
    return desk;
  }

  private constructor(issuer: IssuerDesk, state: string, clock: Clock) {
    this.#issuer = issuer;
    this.#state = state;
    this.#clock = clock;
  }

  /** As after a crash: nothing is written down at the end. @param ssrc of the next stream. */
  async crash(ssrc: number): Promise<void> {
    await this.receipts.accounts?.close();
    await this.#writer.close();
    await this.store.destroy();
    await this.#start(ssrc);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.receipts.close();
    await this.#writer.close();
    await this.store.destroy();
    await rm(this.#state, { recursive: true });
  }

  /** Delivers what the card has. @param isAnswerLost whether the acknowledgement never comes. */
  async deliver(isAnswerLost = false, module: DecodeModule = this.#issuer.module): Promise<void> {
    await module.select();
    await deliverReceipts(
      (work) => work(module),
      async (octets): Promise<PostReply> => {
        const reply = await this.receipts.desk.take(octets);
        if (isAnswerLost) throw new Error('the answer is lost');
        if ('acknowledgement' in reply) return { status: 200, body: reply.acknowledgement };
        return problemReply(reply.problem);
      },
    ).catch((error: unknown) => {
      if (!isAnswerLost) throw error;
    });
  }

  /** Loads the card with what was paid at the desk. */
  async load(amount: bigint, key: string, cardId: string): Promise<FetchedLoad> {
    const money = { amount, currency: SOLD.currency };
    await this.loads.credits!.grant({ name: key, kind: 'cash', cardId, money }, 'test');
    return fetchLoad(this.#issuer.module, this.post, { key });
  }

  /** As a client reaches it. */
  readonly post: PostJson = async (path, body, headers): Promise<PostReply> => {
    const { request = '', proof = '', voucher } = Object(body) as Readonly<Record<string, string>>;
    const key = headers['idempotency-key']!;
    const reply =
      path === '/v1/loads'
        ? await this.loads.desk!.ask({ request, key, ...(voucher !== undefined && { voucher }) })
        : await this.loads.desk!.prove(proof);
    if ('problem' in reply) return problemReply(reply.problem);
    const text = 'state' in reply ? formatLoadReply(reply) : JSON.stringify(reply);
    return { status: 200, body: new TextEncoder().encode(text) };
  };

  async #start(ssrc: number): Promise<void> {
    const { store: directory, keys } = this.#issuer.issuer;
    const clock = this.#clock;
    this.store = await openHeadendStore(this.#state);
    this.#writer = new GroupWriter(headendDatabase(this.#state));
    const { store } = this;
    const writer = this.#writer;
    this.receipts = await ReceiptRole.open({
      receiptMaster: await keys.open('receipt'),
      issuer: ISSUER,
      directory,
      clock,
      store,
      writer,
      log: { error: () => undefined },
    });
    const openMaster = (name: Parameters<typeof keys.open>[0]) => keys.open(name);
    const { receipts } = this;
    this.loads = await LoadRole.open({ store, writer, receipts, isConfigured: true, openMaster, clock });
    this.journal = new SentJournal(writer, { ...SOLD, tariff: { kind: 'octets', price: PRICE } });
    this.journal.keyChanged(1);
    await this.journal.begin(ssrc, 1000);
  }
}

function problemReply(problem: Parameters<typeof detailsOf>[0]): PostReply {
  const details = detailsOf(problem);
  return { status: details.status, body: new TextEncoder().encode(JSON.stringify(details)) };
}
