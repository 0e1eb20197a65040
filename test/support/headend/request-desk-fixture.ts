import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCardId, type ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { AesCbc, type CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { Cmac } from '../../../apdu/decode-module/keys/cmac.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { signConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { signLeaveRecord } from '../../../apdu/decode-module/requests/leave-record.ts';
import { encodeRequest, type RequestKind, signRequest } from '../../../apdu/decode-module/requests/signed-request.ts';
import { fromHex, toHex, u32 } from '../../../apdu/octets.ts';
import { type Answer, parseAnswer } from '../../../host/contract/answers/answer.ts';
import type { ProblemCode } from '../../../host/contract/answers/problem.ts';
import type { Bill } from '../../../host/headend/charging/bill.ts';
import type { BillingPort } from '../../../host/headend/charging/billing-port.ts';
import { FREE_OF_CHARGE } from '../../../host/headend/charging/charge-terms.ts';
import { billOfRow } from '../../../host/headend/charging/charging-rows.ts';
import { StoreBilling } from '../../../host/headend/charging/store-billing.ts';
import { sealGrant } from '../../../host/headend/keys/grants/grant.ts';
import type { SoldSession } from '../../../host/headend/membership/sold-session.ts';
import type { Reply } from '../../../host/headend/requests/reply.ts';
import { RequestDesk, type RequestDeskOptions } from '../../../host/headend/requests/request-desk.ts';
import type { EndedMember, MembershipChange, SessionKeys } from '../../../host/headend/requests/session-keys.ts';
import { GroupWriter } from '../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../host/store/headend/headend-store.ts';
import { SimulatedClock } from '../simulated-clock.ts';
import { NOW } from './sample-offer.ts';
import { TIMELINE_SESSION } from './timeline-names.ts';

export const ISSUER = 0x0a1b2c;
export const UPLINK_MASTER = fromHex('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf');
export const UNIQUE_MASTER = fromHex('000102030405060708090a0b0c0d0e0f');

/** Free of charge by default, at 5.00 USD an hour and the like where a test says so. */
export const SOLD: SoldSession = {
  session: TIMELINE_SESSION,
  service: 7,
  sessionHash: '5a'.repeat(20),
  charges: FREE_OF_CHARGE,
  from: NOW - 86_400,
  to: NOW + 365 * 86_400,
  classes: ['card', 'soft'],
  confirmTimeout: 30,
};

/** A key manager that gives each member a service key of its own, and keeps what it was told. */
export class HandKeys implements SessionKeys {
  readonly ended: EndedMember[] = [];
  readonly granted: string[] = [];
  readonly #makeCipher: CbcFactory | undefined;
  readonly #unique: Cmac;
  /** Purchases of a grant. */
  purchases = 1;
  #keyId = 0;

  /** @param makeCipher in JavaScript when left out. */
  constructor(makeCipher?: CbcFactory) {
    this.#makeCipher = makeCipher;
    this.#unique = new Cmac(UNIQUE_MASTER, makeCipher);
  }

  grant({ sold, cardId, from, to, takeNumber }: Parameters<SessionKeys['grant']>[0]): ReturnType<SessionKeys['grant']> {
    const ceilings = { perMegabyte: 0n, perHour: 0n, flat: 0n, groupOctets: 1, groupDuration: 1, quantum: 1n };
    const key = new Uint8Array(16).fill(++this.#keyId);
    this.granted.push(toHex(cardId));
    const downlinkKey = deriveCardKey(this.#unique, 'downlink', cardId);
    const messages = Array.from({ length: this.purchases }, (_, i) => {
      const purchase = { service: sold.service, keyId: 1 + i, key, from, to, number: takeNumber(), ceilings };
      return sealGrant(purchase, cardId, downlinkKey, this.#makeCipher).octets;
    });
    return { messages, segments: [{ id: 5, from, to }] };
  }

  end(member: EndedMember): void {
    this.ended.push(member);
  }
}

/** A client of the desk: it signs as a card does. */
export class HandCard {
  readonly id: Uint8Array;
  readonly hex: string;
  readonly #mac: AesCbc;
  #requests = 0;

  constructor(serial: number, options: { moduleClass?: ModuleClass; issuer?: number; master?: Uint8Array } = {}) {
    const { moduleClass = 'soft', issuer = ISSUER, master = UPLINK_MASTER } = options;
    this.id = encodeCardId({ issuer, moduleClass, serial });
    this.hex = toHex(this.id);
    this.#mac = new AesCbc(deriveCardKey(master, 'uplink', this.id));
  }

  sign(
    kind: RequestKind,
    from: number,
    to: number,
    { sold = SOLD, requestId }: { sold?: SoldSession; requestId?: Uint8Array } = {},
  ): Uint8Array {
    const id = requestId ?? new Uint8Array([...u32(this.#requests++), 1, 2, 3, 4]);
    const data = encodeRequest({
      service: sold.service,
      from,
      to,
      requestId: id,
      sessionHash: fromHex(sold.sessionHash),
    });
    return signRequest(KIND[kind], this.id, data, this.#mac);
  }

  confirm(message: Uint8Array): Uint8Array {
    return signConfirm(this.id, message, this.#mac);
  }

  leaveRecord(message: Uint8Array, to: number): Uint8Array {
    const { service, keyId, number } = parseKeyMessage(message);
    return signLeaveRecord({ cardId: this.id, service, keyId, number, to }, this.#mac);
  }
}

/** A desk with a database of its own and a clock that stands. */
export class DeskFixture {
  readonly clock = new SimulatedClock(NOW * 1000);
  readonly keys: HandKeys;
  readonly changes: MembershipChange[] = [];
  readonly directory: string;
  readonly #changes: Partial<RequestDeskOptions>;
  readonly #sold: readonly SoldSession[];
  readonly #mode: RequestDeskOptions['charging']['mode'];
  readonly #billing: BillingPort | undefined;
  readonly #onFailure: RequestDeskOptions['charging']['onFailure'];
  store!: HeadendStore;
  writer!: GroupWriter;
  desk!: RequestDesk;

  static async open(
    options: Partial<RequestDeskOptions> & {
      readonly sold?: readonly SoldSession[];
      readonly mode?: RequestDeskOptions['charging']['mode'];
      readonly billing?: BillingPort;
      readonly onFailure?: RequestDeskOptions['charging']['onFailure'];
    } = {},
  ): Promise<DeskFixture> {
    const fixture = new DeskFixture(await mkdtemp(join(tmpdir(), 'tollcast-desk-')), options);
    await fixture.#open();
    return fixture;
  }

  private constructor(
    directory: string,
    {
      sold = [SOLD],
      mode = 'forward',
      billing,
      onFailure,
      ...changes
    }: Parameters<typeof DeskFixture.open>[0] & object,
  ) {
    this.directory = directory;
    this.#sold = sold;
    this.#mode = mode;
    this.#billing = billing;
    this.#onFailure = onFailure;
    this.#changes = changes;
    this.keys = new HandKeys(changes.makeCipher);
  }

  async #open(): Promise<void> {
    this.store = await openHeadendStore(this.directory);
    this.writer = new GroupWriter(headendDatabase(this.directory));
    this.desk = await RequestDesk.open({
      store: this.store,
      writer: this.writer,
      masters: new Map([[ISSUER, UPLINK_MASTER]]),
      offers: {
        find: (hash) => this.#sold.find(({ sessionHash }) => sessionHash === hash),
        isBilledByLog: (number) => this.#sold.some((sold) => sold.service === number && sold.isBilledByLog),
      },
      keys: this.keys,
      events: { changed: (change) => void this.changes.push(change) },
      charging: {
        mode: this.#mode,
        billing: this.#billing ?? new StoreBilling(this.writer),
        ...(this.#onFailure !== undefined && { onFailure: this.#onFailure }),
      },
      clock: this.clock,
      ...this.#changes,
    });
  }

  /** Ends the program and starts it anew on what is on disk. */
  async restart(): Promise<void> {
    await this.#closeStore();
    await this.#open();
  }

  async close(): Promise<void> {
    await this.#closeStore();
    await rm(this.directory, { recursive: true });
  }

  async #closeStore(): Promise<void> {
    await this.writer.close();
    await this.store.destroy();
  }

  /** Seconds since 1970. */
  get now(): number {
    return Math.floor(this.clock.now() / 1000);
  }

  /** Lets time pass up to a second, and does what is due. */
  async goTo(time: number): Promise<void> {
    await this.clock.advance((time - this.now) * 1000);
    await this.desk.tick();
  }

  /** Has a card join, and confirm what it got. */
  async join(card: HandCard, from: number, to: number, sold: SoldSession = SOLD): Promise<Answer> {
    const joined = answerOf(await this.desk.answer(card.sign('join', from, to, { sold })));
    for (const message of joined.messages) answerOf(await this.desk.answer(card.confirm(message)));
    return joined;
  }

  /** Card ids of the list, in order. */
  listed(session: string = SOLD.session): string[] {
    return [...this.desk.members(session)].map(({ cardId }) => cardId).toSorted();
  }

  async bills(): Promise<Bill[]> {
    return (await this.store.selectFrom('bill').selectAll().orderBy('entryId').execute()).map(billOfRow);
  }
}

/** The answer of a reply. @throws Error when it is a problem. */
export function answerOf(reply: Reply): Answer {
  if ('problem' in reply) throw new Error(`the desk answered ${reply.problem.code}: ${reply.problem.detail}`);
  return parseAnswer(new TextEncoder().encode(reply.answer));
}

/** The code of a problem, or `answered`. */
export function problemOf(reply: Reply): ProblemCode | 'answered' {
  return 'problem' in reply ? reply.problem.code : 'answered';
}
