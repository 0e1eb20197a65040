import { randomBytes } from 'node:crypto';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import type { Receipt } from '../../../apdu/decode-module/money/receipt.ts';
import type { RequestKind } from '../../../apdu/decode-module/requests/signed-request.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { type Answer, parseAnswer } from '../../../host/contract/answers/answer.ts';
import { parseProblem, type ProblemCode } from '../../../host/contract/answers/problem.ts';
import { deliverReceipts } from '../../../host/holder/receipts/deliver-receipts.ts';
import { splitDatagram } from '../cards/keys-by-hand.ts';
import { personalise, type TestIssuer } from '../streams/test-service.ts';
import type { HeadendFixture } from './headend-fixture.ts';
import { readGroup } from './recording.ts';
import type { ServiceCapture } from './service-capture.ts';

/** A soft card that joins a head-end's session, loads what it is sent, and opens what it can. */
export class SoftViewer {
  readonly cardId: Uint8Array;
  readonly #card: SimulatedCard;
  readonly module: DecodeModule;
  readonly #loaded = new Set<string>();
  #next = 0;
  /** Groups that it opened, and those that it was refused. */
  opened = 0;
  refused = 0;
  /** Media times of the groups that it opened. */
  readonly openedAt: number[] = [];
  /** Key messages that it was given in answers. */
  readonly given: Uint8Array[] = [];

  /** @param credit micro-units, where the issuer is that of the tests. */
  static async start(serial: number, credit: bigint, issuer?: TestIssuer): Promise<SoftViewer> {
    const card = await startCard({ kind: 'soft' });
    const cardId = await personalise(card, serial, credit, issuer);
    const module = new DecodeModule(await card.channel());
    await module.select();
    return new SoftViewer(card, cardId, module);
  }

  private constructor(card: SimulatedCard, cardId: Uint8Array, module: DecodeModule) {
    this.#card = card;
    this.cardId = cardId;
    this.module = module;
  }

  /**
   * Has the card sign a request, sends it, loads the keys of its answer and confirms them.
   * @param offer the session hash of the offer, 40 hexadecimal digits.
   * @returns the answer, or the code of the problem.
   */
  async request(
    { ask }: Pick<HeadendFixture, 'ask'>,
    kind: RequestKind,
    { service, offer, from, to }: { service: number; offer: string; from: number; to: number },
  ): Promise<Answer | ProblemCode> {
    const asked = { service, from, to, requestId: randomBytes(8), sessionHash: fromHex(offer) };
    const answer = await this.#send(ask, await this.module.signRequest(kind, asked));
    if (typeof answer === 'string') return answer;
    this.given.push(...answer.messages);
    for (const message of answer.messages) {
      const confirm = await this.module.loadKey(message);
      this.#loaded.add(toHex(message));
      if (confirm !== undefined) await this.#send(ask, confirm);
    }
    return answer;
  }

  /** Takes what was captured since the last time, in its order. */
  async follow({ events }: Pick<ServiceCapture, 'events'>, service: number): Promise<void> {
    await this.module.openSession(service).catch((error: unknown) => {
      if (!(error instanceof ModuleError)) throw error;
    });
    for (; this.#next < events.length; this.#next++) {
      const { port, octets } = events[this.#next]!;
      if (port === 'keys') {
        for (const message of splitDatagram(octets)) await this.#load(message);
      } else if ((octets.at(-4)! & 0x80) !== 0) {
        await this.#open(octets);
      }
    }
  }

  /** Ends the session on the card. @returns its receipt; undefined when nothing was taken. */
  settle(): Promise<Receipt | undefined> {
    return this.module.closeSession();
  }

  /** Takes the power from the card, and gives it again. */
  async reset(): Promise<void> {
    await this.#card.reset();
    await this.module.select();
  }

  purse(): Promise<PurseStatus> {
    return this.module.getPurse();
  }

  /** A receipt, as the card signed it. */
  receipt(number: number): Promise<Uint8Array> {
    return this.module.getReceipt(number);
  }

  /** Delivers the card's receipts. @returns how many. */
  deliver({ ask }: Pick<HeadendFixture, 'ask'>): Promise<number> {
    const headers = { 'content-type': 'application/octet-stream' };
    return deliverReceipts(
      (work) => work(this.module),
      (body) => ask('POST', '/v1/receipts', { body, headers }),
    );
  }

  close(): Promise<void> {
    return this.#card.close();
  }

  async #send(ask: HeadendFixture['ask'], octets: Uint8Array): Promise<Answer | ProblemCode> {
    const headers = { 'content-type': 'application/octet-stream' };
    const { status, body } = await ask('POST', '/v1/requests', { body: octets, headers });
    return status === 200 ? parseAnswer(body) : parseProblem(body).code;
  }

  async #load(octets: Uint8Array): Promise<void> {
    const messages = octets[0] === KIND.combinedSection ? separate(octets) : [octets];
    for (const message of messages) {
      const name = toHex(message);
      if (this.#loaded.has(name)) continue;
      try {
        await this.module.loadKey(message);
        this.#loaded.add(name);
      } catch (error) {
        // Others' entries of a section, and keys whose parent the card lacks.
        if (!(error instanceof ModuleError)) throw error;
        if (error.code === 'NO_ROOM' && (await this.#makeRoom())) await this.#load(message);
      }
    }
  }

  /** Lets the oldest content key go, as a bridge does with those of a stream that has ended. */
  async #makeRoom(): Promise<boolean> {
    const contents = (await this.module.listKeys()).filter(({ kind }) => kind === KIND.content);
    const [oldest] = contents.toSorted((a, b) => a.keyId - b.keyId);
    if (oldest !== undefined) await this.module.deleteKey(oldest.kind, oldest.service, oldest.keyId);
    return oldest !== undefined;
  }

  async #open(packet: Uint8Array): Promise<void> {
    const { part, mediaTime } = readGroup(packet);
    try {
      await this.module.decode(part);
      this.opened += 1;
      this.openedAt.push(mediaTime);
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      this.refused += 1;
    }
  }
}
