import { expect } from 'vitest';
import { decodeCardId, formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { encodeContentTerms } from '../../../../apdu/decode-module/keys/content-terms.ts';
import { sealKeyMessage } from '../../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../../apdu/decode-module/module-status.ts';
import { makeContentCiphers, sealCardPart } from '../../../../apdu/decode-module/packets/card-part.ts';
import type { RequestKind } from '../../../../apdu/decode-module/requests/signed-request.ts';
import { deriveWorkingKeys } from '../../../../apdu/decode-module/working-keys.ts';
import { TransportError } from '../../../../apdu/errors.ts';
import { fromHex, toHex, u32 } from '../../../../apdu/octets.ts';
import { TEST_KEY_SET } from '../../../../apdu/secure-channel/test-key-set.ts';
import { type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { type Answer, parseAnswer } from '../../../../host/contract/answers/answer.ts';
import { parseProblem, type ProblemCode } from '../../../../host/contract/answers/problem.ts';
import { leavePurchase } from '../../../../host/holder/leave.ts';
import { fetchLoad, type PostJson } from '../../../../host/holder/loads/fetch-load.ts';
import { deliverReceipts } from '../../../../host/holder/receipts/deliver-receipts.ts';
import { personalise } from '../../../../host/issuer/cards/personalisation.ts';
import { loadCredit } from '../../../../host/issuer/orders/credit.ts';
import type { IssuerFixture } from '../../issuer-fixture.ts';
import { PRICE, SERVICE_KEY, SOLD, type WholeDesk } from './whole-desk.ts';

const UNIT = 1_000_000n;
const LIMIT = 1000n * UNIT;
/** What a card has at first. */
const CREDIT = 10n * UNIT;
/** What a group that came to nothing was refused for: money or time, and nothing else. */
const REFUSALS: ReadonlySet<string> = new Set(['OUTSIDE_VALIDITY', 'NO_CREDIT', 'RECEIPTS_DUE']);

/** What goes wrong with something that is asked of the head-end. */
export type Trouble = 'none' | 'answer lost' | 'crash';

/** Seconds since 1970, as the head-end has agreed to them: [from, to). */
export interface Agreed {
  from: number;
  to: number;
}

/** Somebody with a soft card, who remembers what was agreed and what was opened. */
export class WholeSubscriber implements AsyncDisposable {
  readonly module: DecodeModule;
  readonly cardId: Uint8Array;
  readonly name: string;
  readonly agreed: Agreed[] = [];
  /** Octets of the groups that the card opened. */
  opened = 0n;
  /** Micro-units that were paid for loads and fetched. */
  loaded = CREDIT;
  readonly #desk: WholeDesk;
  readonly #card: SimulatedCard;
  /** Whether the head-end has it on its list now. */
  #isJoined = false;
  #requests = 0;
  #groups = 0;
  #loads = 0;

  static async start(issuer: IssuerFixture, desk: WholeDesk): Promise<WholeSubscriber> {
    const card = await startCard({ kind: 'soft' });
    const channel = await card.channel();
    const { keys, accounts } = issuer;
    const limits = { currency: 840, maximumBalance: LIMIT, maximumUnacknowledged: LIMIT };
    const made = { channel, keys, accounts, installed: TEST_KEY_SET, now: desk.now };
    const cardId = await personalise(made, { moduleClass: 'card', ...limits });
    const module = new DecodeModule(channel);
    await module.select();
    await loadCredit({ module, keys, accounts, now: desk.now }, { amount: CREDIT, currency: 840, refundCap: 0n });
    return new WholeSubscriber(desk, card, channel, cardId);
  }

  private constructor(
    desk: WholeDesk,
    card: SimulatedCard,
    channel: ConstructorParameters<typeof DecodeModule>[0],
    cardId: Uint8Array,
  ) {
    this.#desk = desk;
    this.#card = card;
    this.module = new DecodeModule(channel);
    this.cardId = cardId;
    this.name = formatCardId(cardId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#card.close();
  }

  get #last(): Agreed {
    return this.agreed.at(-1)!;
  }

  /** Time has passed: a join that has ended by then has ended, though the clock may be set back later. */
  timePassed(): void {
    if (this.#isJoined && this.#desk.now >= this.#last.to) this.#isJoined = false;
  }

  async join(skew: number, length: number, trouble: Trouble): Promise<void> {
    const from = this.#desk.now + skew;
    const wasJoined = this.#isJoined;
    const answer = await this.#request('join', from, from + length, trouble);
    if (typeof answer === 'string') {
      // A join that goes on must not leave a gap.
      expect(answer).toBe(wasJoined && from > this.#last.to ? 'not-later' : 'too-late');
      return;
    }
    if (!wasJoined) this.agreed.push({ from: answer.from, to: answer.to });
    this.#isJoined = true;
    this.#last.to = answer.to;
  }

  async extend(length: number, trouble: Trouble): Promise<void> {
    const from = this.agreed.at(-1)?.to ?? this.#desk.now;
    const wasJoined = this.#isJoined;
    const answer = await this.#request('extend', from, from + length, trouble);
    if (!wasJoined) {
      expect(answer).toMatch(/^(?:not-joined|skewed)$/);
      return;
    }
    expect(answer).toMatchObject({ outcome: 'extended', from: this.#last.from, to: from + length });
    this.#last.to = from + length;
  }

  /** @param way whether the card signs that it opens nothing more, or asks only. */
  async leave(way: 'record' | 'request', trouble: Trouble): Promise<void> {
    if (!this.#isJoined) {
      expect(await this.#request('leave', this.#desk.now, this.#desk.now, trouble)).toBe('not-joined');
      return;
    }
    const { now } = this.#desk;
    if (way === 'request') {
      const answer = await this.#request('leave', now, now, trouble);
      expect(answer).toMatchObject({ outcome: 'left', to: Math.max(now, this.#last.from) });
    } else {
      const { record } = await leavePurchase(this.module, { service: SOLD.service, keyId: SERVICE_KEY.keyId }, now);
      await this.#send(record, trouble);
    }
    this.#last.to = Math.max(this.#desk.now, this.#last.from);
    this.#isJoined = false;
  }

  /** Opens what is sent now, if it is sent the keys. */
  async watch(groups: readonly number[], end: 'close' | 'pull' | 'stay'): Promise<void> {
    if (!this.#isJoined) return;
    const { module } = this;
    const { ssrc, mediaTime, journal } = this.#desk;
    await module.select();
    const contentKey = new Uint8Array(16).fill(2);
    const contentKeyId = this.#desk.takeKeyId();
    await module.loadKey(makeContentMessage(contentKeyId, ssrc, contentKey));
    await module.openSession(SOLD.service);
    const ciphers = makeContentCiphers(deriveWorkingKeys(KIND.content, SOLD.service, contentKeyId, contentKey));
    for (const octets of groups) {
      const group = ++this.#groups;
      const place = { contentKeyId, ssrc, group, mediaTime, index: 1 };
      const header = { mode: 'sealed', spanBlocks: 1, packets: 1, octets, duration: 0, ...place } as const;
      await journal.count(header);
      try {
        await module.decode(sealCardPart(header, new Uint8Array(16).fill(9), ciphers));
      } catch (error) {
        if (!(error instanceof ModuleError) || !REFUSALS.has(error.code)) throw error;
        continue;
      }
      // No card opens what is beyond its time.
      expect(mediaTime).toBeGreaterThanOrEqual(this.#last.from);
      expect(mediaTime).toBeLessThan(this.#last.to);
      this.opened += BigInt(octets);
    }
    if (end === 'close') await module.closeSession();
    if (end === 'pull') await this.#card.reset();
    if (end === 'pull') await module.select();
  }

  async deliver(isAnswerLost: boolean): Promise<void> {
    await this.module.select();
    const post = async (octets: Uint8Array) => {
      const reply = await this.#desk.postReceipts(octets);
      if (isAnswerLost) throw new TransportError('HTTPS', 'the answer is lost');
      return reply;
    };
    const delivered = deliverReceipts((work) => work(this.module), post);
    if (isAnswerLost) await delivered.catch(ignoreLoss);
    else await delivered;
  }

  /** Loads what was paid, again after its answer was lost. @param failing number of the answer that is lost; 0: none. */
  async load(amount: bigint, failing: number, isCrash: boolean): Promise<void> {
    const key = `load-${decodeCardId(this.cardId).serial}-${String(++this.#loads).padStart(12, '0')}`;
    for (let tries = 0; tries < 2; tries++) await this.#desk.grantLoad(key, toHex(this.cardId), amount);
    await this.module.select();
    let answers = 0;
    const failingPost: PostJson = async (path, body, headers) => {
      const reply = await this.#desk.postLoad(path, body, headers);
      if (++answers === failing) throw new TransportError('HTTPS', 'the answer is lost');
      return reply;
    };
    try {
      await fetchLoad(this.module, failingPost, { key });
    } catch (error) {
      ignoreLoss(error);
      if (isCrash) await this.#desk.crash();
      await this.module.select();
      expect(await fetchLoad(this.module, this.#desk.postLoad, { key })).toMatchObject({ amount });
    }
    expect(await fetchLoad(this.module, this.#desk.postLoad, { key })).toMatchObject({ amount, repeated: true });
    this.loaded += amount;
  }

  async #request(kind: RequestKind, from: number, to: number, trouble: Trouble): Promise<Answer | ProblemCode> {
    const requestId = new Uint8Array([...u32(++this.#requests), 1, 2, 3, 4]);
    const asked = { service: SOLD.service, from, to, requestId, sessionHash: fromHex(SOLD.sessionHash) };
    const answer = await this.#send(await this.module.signRequest(kind, asked), trouble);
    if (typeof answer === 'string') return answer;
    for (const message of answer.messages) {
      const confirm = await this.module.loadKey(message);
      if (confirm !== undefined) expect(await this.#send(confirm, trouble)).toMatchObject({ outcome: 'confirmed' });
    }
    return answer;
  }

  /** Sends something, and the same again where its answer is lost: it is answered the same. */
  async #send(octets: Uint8Array, trouble: Trouble): Promise<Answer | ProblemCode> {
    const first = readReply(await this.#desk.postRequest(octets));
    if (trouble === 'none') return first;
    if (trouble === 'crash') await this.#desk.crash();
    const again = readReply(await this.#desk.postRequest(octets));
    // A confirm and a leave record have no id: where the member is gone by then, that is said.
    if (typeof first === 'string' || first.requestId !== undefined) expect(again).toEqual(first);
    return first;
  }
}

function makeContentMessage(keyId: number, ssrc: number, key: Uint8Array): Uint8Array {
  const header = { service: SOLD.service, keyId, from: 0, to: 0xffff_ffff, number: 0 };
  const terms = {
    tariff: { kind: 'octets', price: PRICE },
    classes: { card: true, soft: true },
    segmentId: 1,
    ssrcs: [ssrc],
    masterSalt: new Uint8Array(12),
  } as const;
  const parent = { kind: KIND.content, parentKind: KIND.service, parentId: SERVICE_KEY.keyId };
  return sealKeyMessage({ ...header, ...parent }, key, encodeContentTerms(terms), SERVICE_KEY.octets).octets;
}

function readReply({ status, body }: { readonly status: number; readonly body: Uint8Array }): Answer | ProblemCode {
  return status === 200 ? parseAnswer(body) : parseProblem(body).code;
}

function ignoreLoss(error: unknown): void {
  if (!(error instanceof TransportError)) throw error;
}
