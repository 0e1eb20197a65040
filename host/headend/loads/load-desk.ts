import { decodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { deriveCardKey, type MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { type LoadRequest, openLoadRequest } from '../../../apdu/decode-module/money/credit-load.ts';
import { ForgedError } from '../../../apdu/decode-module/signed-message.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { LOAD_ORDER, LOAD_REQUEST } from '../../../apdu/layout/money.ts';
import { concat, equalTags, toHex } from '../../../apdu/octets.ts';
import type { Clock } from '../../clock/clock.ts';
import { makeProblem, type Problem, type ProblemCode } from '../../contract/answers/problem.ts';
import { type CardFile, encodeCardFile, messagesOf, parseCardFile } from '../../contract/card-files/card-file.ts';
import type { LoadQuestion, LoadReply } from '../../contract/loads/load-messages.ts';
import type { Accounts } from '../../issuer/cards/accounts.ts';
import { DEFAULT_REFUND_CAP, planCreditLimit, planLoad } from '../../issuer/orders/credit.ts';
import type { OrderPlan } from '../../issuer/orders/order-plan.ts';
import { answerLoadRequest, type RemoteContext, takeProof } from '../../issuer/orders/remote-order.ts';
import { CardTurns } from '../receipts/card-turns.ts';
import type { ReceiptReply } from '../receipts/receipt-desk.ts';
import type { Claim, PaymentPort } from './payment-port.ts';

export interface LoadDeskOptions {
  readonly accounts: Accounts;
  /** Opens a master, 16 octets. */
  readonly openMaster: (name: MasterName) => Promise<Uint8Array>;
  readonly payment: PaymentPort;
  /** Whether a card gets nothing here; its id in hexadecimal. */
  readonly isBlocked: (card: string) => Promise<boolean>;
  /** Decides what lost cards have left to a card. @returns seconds since 1970 from when on there is more. */
  readonly settleLost: (card: string) => Promise<number | undefined>;
  /** Keeps the receipts that come with a request, so that what was torn is known. */
  readonly receipts: { take(octets: Uint8Array): Promise<ReceiptReply> };
  /** Has all receipts of a card in the accounts. */
  readonly settle: (cardId: Uint8Array) => Promise<void>;
  /** Micro-units of a card that were torn, as far as the sender's journal bears it out. */
  readonly findTorn: (cardId: Uint8Array) => Promise<bigint>;
  /** Enters what a card has proved in the ledger. */
  readonly post: (cardId: Uint8Array) => Promise<void>;
  readonly clock: Clock;
}

/** Wrong codes that a card may send in an hour. */
const MAX_WRONG = 10;
const HOUR = 3_600_000;

/** Why the issuer refuses, and what a client is told. */
const REFUSALS: Readonly<Partial<Record<string, ProblemCode>>> = {
  OVER_MAXIMUM: 'over-maximum',
  RECEIPTS_FIRST: 'receipts-first',
  STALE_FILE: 'stale-request',
  WRONG_CURRENCY: 'wrong-currency',
  WRONG_ISSUER: 'foreign-issuer',
  NOT_IN_ACCOUNTS: 'unknown-card',
};

/**
 * Loads cards that are elsewhere: S1, S2 and S3 of protocol 7.4 over the API. What was paid is claimed by one card and
 * for one order, which has the claim's load id: asked twice, it is loaded once, whatever dies in between.
 */
export class LoadDesk {
  readonly #options: LoadDeskOptions;
  readonly #turns = new CardTurns();
  /** Times of wrong codes, ms since 1970, by card. */
  readonly #wrong = new Map<string, number[]>();

  constructor(options: LoadDeskOptions) {
    this.#options = options;
  }

  /** Answers a load request with the order for what was paid. */
  async ask(question: LoadQuestion): Promise<LoadReply | { readonly problem: Problem }> {
    return this.#answer(question.request, 'load request', async (file) => {
      const [octets] = messagesOf(file, 'load-request');
      const { cardId } = LOAD_REQUEST.decode(octets!);
      return this.#turns.run(toHex(cardId), () => this.#load(cardId, file, question));
    });
  }

  /** Takes the proof that a card has carried out an order. It may come again. */
  async prove(proof: string): Promise<{ readonly number: number } | { readonly problem: Problem }> {
    return this.#answer(proof, 'load proof', async (file) => {
      const [octets] = messagesOf(file, 'load-proof');
      const { cardId } = LOAD_ORDER.decode(octets!);
      return this.#turns.run(toHex(cardId), async () => {
        const { number } = await takeProof(this.#context(), file);
        await this.#options.post(cardId);
        return { number };
      });
    });
  }

  async #answer<T>(
    text: string,
    kind: 'load request' | 'load proof',
    work: (file: CardFile) => Promise<T | { readonly problem: Problem }>,
  ): Promise<T | { readonly problem: Problem }> {
    let file: CardFile;
    try {
      file = parseCardFile(text, kind, 'what was sent');
    } catch (error) {
      if (error instanceof TollcastError) return refuse('malformed');
      throw error;
    }
    try {
      return await work(file);
    } catch (error) {
      if (error instanceof ForgedError) return refuse('wrong-signature');
      if (error instanceof TollcastError) return refuse(REFUSALS[error.code] ?? 'load-refused', error.message);
      throw error;
    }
  }

  async #load(
    cardId: Uint8Array,
    file: CardFile,
    question: LoadQuestion,
  ): Promise<LoadReply | { readonly problem: Problem }> {
    const { accounts, openMaster, payment, receipts, settle, settleLost, isBlocked, post } = this.#options;
    if (decodeCardId(cardId).issuer !== accounts.issuer) return refuse('foreign-issuer');
    // Who asks is known before anything is claimed.
    const loadOutKey = deriveCardKey(await openMaster('load'), 'load-out', cardId);
    const request = openLoadRequest(messagesOf(file, 'load-request')[0]!, loadOutKey);
    // Its receipts are taken elsewhere, also of a card that gets nothing.
    if (await isBlocked(toHex(cardId))) return refuse('blocked-card');
    const delivered = messagesOf(file, 'receipt');
    if (delivered.length > 0) {
      const taken = await receipts.take(concat(...delivered));
      if ('problem' in taken) return taken;
    }
    await settle(cardId);
    const later = question.voucher === undefined ? await settleLost(toHex(cardId)) : undefined;
    for (;;) {
      const claim = await this.#claim(request, question);
      if (typeof claim === 'string') {
        const isToCome = claim === 'nothing-paid' && later !== undefined;
        return refuse(claim, isToCome ? `what the lost card had comes after ${formatTime(later)}` : undefined);
      }
      const placed = await accounts.orderOfLoad(cardId, claim.loadId);
      if (placed === undefined || request.number < placed.number) return this.#order(cardId, file, claim);
      // The card names the orders that it has carried out by their count.
      await accounts.recordProof(cardId, placed.number);
      await post(cardId);
      await payment.settle(claim);
      const { kind, asked, refund } = placed;
      if (claim.key === question.key || question.voucher !== undefined) {
        return { state: 'done', kind, amount: asked, refund };
      }
    }
  }

  async #claim({ cardId, currency }: LoadRequest, { key, voucher }: LoadQuestion): Promise<Claim | ProblemCode> {
    const card = toHex(cardId);
    const now = this.#options.clock.now();
    const wrong = (this.#wrong.get(card) ?? []).filter((at) => at > now - HOUR);
    if (voucher !== undefined && wrong.length >= MAX_WRONG) return 'over-quota';
    const claim = await this.#options.payment.claim({ cardId: card, currency, key, voucher });
    if (claim === 'wrong-voucher') this.#wrong.set(card, [...wrong, now]);
    return claim;
  }

  async #order(cardId: Uint8Array, file: CardFile, claim: Claim): Promise<LoadReply> {
    const context = this.#context();
    const request = { amount: claim.amount, currency: claim.currency };
    const refundable = await this.#options.findTorn(cardId);
    const plan: OrderPlan =
      claim.kind === 'load'
        ? planLoad({ ...request, refundCap: DEFAULT_REFUND_CAP, refundable }, context.now)
        : planCreditLimit(request);
    const order = await answerLoadRequest(context, file, { ...plan, loadId: claim.loadId });
    const { loadId } = LOAD_ORDER.decode(messagesOf(order.file, 'load-order')[0]!);
    const { kind, asked: amount, refund } = order;
    const state = equalTags(loadId, claim.loadId) ? 'ordered' : 'earlier';
    return { state, order: encodeCardFile(order.file), kind, amount, refund };
  }

  #context(): RemoteContext {
    const { accounts, openMaster, clock } = this.#options;
    return { accounts, keys: { open: openMaster }, now: Math.floor(clock.now() / 1000) };
  }
}

function refuse(code: ProblemCode, particulars?: string): { readonly problem: Problem } {
  return { problem: makeProblem(code, particulars === undefined ? {} : { particulars }) };
}

/** @param at seconds since 1970. */
function formatTime(at: number): string {
  return new Date(at * 1000).toISOString();
}
