import { systemClock } from '../../../../host/clock/clock.ts';
import { detailsOf } from '../../../../host/contract/answers/problem.ts';
import { formatLoadReply } from '../../../../host/contract/loads/load-messages.ts';
import { LoadRole } from '../../../../host/headend/loads/load-role.ts';
import { ReceiptRole } from '../../../../host/headend/receipts/receipt-role.ts';
import type { PostJson } from '../../../../host/holder/loads/fetch-load.ts';
import { KeyStore } from '../../../../host/issuer/keys/key-store.ts';
import { parseMoney } from '../../../../host/money/amount.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { PASSPHRASE } from '../../issuer-fixture.ts';

/** What is asked of a desk for loads, or of its operator. */
export type LoadDeskQuestion =
  | { readonly what: 'ask'; readonly request: string; readonly key: string; readonly voucher?: string }
  | { readonly what: 'prove'; readonly proof: string }
  | {
      readonly what: 'grant';
      readonly name: string;
      readonly cardId: string;
      readonly kind: 'cash' | 'credit limit';
      readonly amount: string;
    }
  | { readonly what: 'vouchers'; readonly name: string; readonly count: number; readonly amount: string };

export interface LoadDeskAnswer {
  readonly status: number;
  readonly text: string;
}

/** A desk for loads in this process: questions in, answers out. */
export class OpenLoadDesk {
  readonly #store: HeadendStore;
  readonly #writer: GroupWriter;
  readonly #receipts: ReceiptRole;
  readonly #loads: LoadRole;

  /** @param directory of the issuer store. @param state of the head-end. */
  static async open(directory: string, state: string): Promise<OpenLoadDesk> {
    const store = await openHeadendStore(state);
    const writer = new GroupWriter(headendDatabase(state));
    const keys = new KeyStore(directory, async () => PASSPHRASE);
    const receipts = await ReceiptRole.open({
      receiptMaster: await keys.open('receipt'),
      issuer: 0x0a1b2c,
      directory,
      clock: systemClock,
      store,
      writer,
      log: { error: () => undefined },
    });
    const openMaster = (name: Parameters<KeyStore['open']>[0]) => keys.open(name);
    const loads = await LoadRole.open({ store, writer, receipts, isConfigured: true, openMaster, clock: systemClock });
    return new OpenLoadDesk(store, writer, receipts, loads);
  }

  private constructor(store: HeadendStore, writer: GroupWriter, receipts: ReceiptRole, loads: LoadRole) {
    this.#store = store;
    this.#writer = writer;
    this.#receipts = receipts;
    this.#loads = loads;
  }

  async close(): Promise<void> {
    await this.#receipts.close();
    await this.#writer.close();
    await this.#store.destroy();
  }

  async ask(question: LoadDeskQuestion): Promise<LoadDeskAnswer> {
    const { desk, credits } = this.#loads;
    switch (question.what) {
      case 'ask': {
        const reply = await desk!.ask(question);
        if ('problem' in reply) return problemOf(reply.problem);
        return { status: 200, text: formatLoadReply(reply) };
      }
      case 'prove': {
        const reply = await desk!.prove(question.proof);
        return 'problem' in reply ? problemOf(reply.problem) : { status: 200, text: JSON.stringify(reply) };
      }
      case 'grant': {
        const { amount, ...grant } = question;
        return { status: 200, text: String(await credits!.grant({ ...grant, money: parseMoney(amount) }, 'test')) };
      }
      case 'vouchers': {
        const { name, count, amount } = question;
        const codes = await credits!.makeVouchers({ name, count, money: parseMoney(amount) }, 'test');
        return { status: 200, text: JSON.stringify(codes) };
      }
    }
  }

  /** As a client reaches it. */
  readonly post: PostJson = makePost((question) => this.ask(question));
}

/** How a client reaches a desk. */
export function makePost(ask: (question: LoadDeskQuestion) => Promise<LoadDeskAnswer>): PostJson {
  return async (path, body, headers) => {
    const { request = '', proof = '', voucher } = readFields(body);
    const { status, text } = await ask(
      path === '/v1/loads'
        ? { what: 'ask', request, key: headers['idempotency-key']!, ...(voucher !== undefined && { voucher }) }
        : { what: 'prove', proof },
    );
    return { status, body: new TextEncoder().encode(text) };
  };
}

/** The texts of a body. */
function readFields(body: unknown): Record<string, string> {
  if (typeof body !== 'object' || body === null) throw new Error('this is not a body');
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, String(value)]));
}

function problemOf(problem: Parameters<typeof detailsOf>[0]): LoadDeskAnswer {
  const details = detailsOf(problem);
  return { status: details.status, text: JSON.stringify(details) };
}
