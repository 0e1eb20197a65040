import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { sealCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { toHex } from '../../../apdu/octets.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { type CardKind, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { KeyLoader } from '../../../host/bridge/keys/key-loader.ts';
import type { SessionKeyManager } from '../../../host/headend/keys/session-key-manager.ts';
import { takeApart, tryRecording } from '../headend/recording.ts';
import { personalise, START } from '../streams/test-service.ts';

export const SERVICE = 7;
export const SSRC = 0x1000;

/** Kinds in the order in which a card can take them. */
const RANK: readonly number[] = [KIND.servicePair, KIND.service, KIND.segment, KIND.content];

/** A group that was sent, one a second. */
export interface RecordedSecond {
  readonly second: number;
  readonly contentKeyId: number;
  readonly part: Uint8Array;
}

/** All that anybody could have recorded: key messages, each once, and groups. */
export class Recording {
  readonly messages = new Map<string, Uint8Array>();
  readonly groups: RecordedSecond[] = [];

  add(octets: Uint8Array): void {
    for (const message of takeApart([octets])) this.messages.set(toHex(message), message);
  }
}

/** A card and a host that tries whatever it has. */
export class RecordingViewer {
  readonly cardId: Uint8Array;
  readonly module: DecodeModule;
  readonly #card: SimulatedCard;
  readonly #channel: CardChannel;
  readonly #loader = new KeyLoader({ onDrop: () => undefined });
  #number = START;

  static async start(kind: CardKind, serial: number): Promise<RecordingViewer> {
    const card = await startCard({ kind });
    const cardId = await personalise(card, serial, 0n);
    const viewer = new RecordingViewer(card, cardId, await card.channel());
    viewer.#loader.reset(serial);
    await viewer.tune();
    return viewer;
  }

  private constructor(card: SimulatedCard, cardId: Uint8Array, channel: CardChannel) {
    this.#card = card;
    this.#channel = channel;
    this.cardId = cardId;
    this.module = new DecodeModule(channel);
  }

  close = () => this.#card.close();

  /** As its issuer does: gives it the point of a head-end, 65 octets. */
  async givePoint(point: Uint8Array): Promise<void> {
    const secure = new DecodeModule(await openSecureChannel(this.#channel, TEST_KEY_SET));
    await secure.storeData(DGI.headEnd, point, false);
    await this.tune();
  }

  grant = (from: number, to: number) => ({
    cardId: this.cardId,
    from: START + from,
    to: START + to,
    takeNumber: () => this.#number++,
  });

  /** After a reset, or at the start. */
  async tune(): Promise<void> {
    await this.module.select();
    await this.module.openSession(SERVICE);
  }

  async reset(): Promise<void> {
    await this.#card.reset();
    await this.tune();
  }

  /** Takes what is on the key port, as a bridge does. @param now ms. */
  async hear(messages: readonly Uint8Array[], now: number): Promise<void> {
    for (const message of messages) this.#loader.add(message, now);
    for (let next = this.#loader.next(); next !== undefined; next = this.#loader.next()) {
      await this.#loader.load(this.module, next, now);
    }
  }

  /** Tries each group with every message that could help, and keys before what is under them. */
  async try(recording: Recording, groups: readonly RecordedSecond[]): Promise<number[]> {
    const messages = [...recording.messages.values()].toSorted((a, b) => RANK.indexOf(a[0]!) - RANK.indexOf(b[0]!));
    const timed = groups.map(({ second, ...group }) => ({ ...group, mediaTime: second }));
    return tryRecording(this.module, messages, timed);
  }
}

/** A group of one second of a stream that began at {@link START}. */
export function sealSecond(keys: SessionKeyManager, second: number): RecordedSecond {
  const { id, ciphers } = keys.at(START + second);
  const header = {
    mode: 'sealed',
    spanBlocks: 1,
    packets: 1,
    octets: 1000,
    duration: 1000,
    mediaTime: START + second,
    contentKeyId: id,
    index: second,
    ssrc: SSRC,
    group: second + 1,
  } as const;
  return { second, contentKeyId: id, part: sealCardPart(header, new Uint8Array(16), ciphers) };
}
