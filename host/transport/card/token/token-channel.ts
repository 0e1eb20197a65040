import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { CardGoneError, TransportError } from '../../../../apdu/errors.ts';
import {
  encodeFrames,
  isTokenChannel,
  TOKEN_ERROR,
  TOKEN_TAG,
  type TokenMessage,
} from '../../../../apdu/token/frame.ts';
import { MessageReader } from '../../../../apdu/token/message-reader.ts';
import type { Clock } from '../../../clock/clock.ts';
import { SerialQueue } from '../serial-queue.ts';
import type { TokenLink } from './token-link.ts';

/** ms without a frame after which a token is taken for gone; `firmware-notes/tokens.md` 2. */
const MAX_SILENCE_MS = 2_000;
/** ms that a command under way, and then the reset, may still take when the channel is closed. */
const MAX_CLOSE_MS = 1_000;
/** Octets of a short command; a longer one a token may refuse. */
const MIN_COMMAND = 4;
const MAX_COMMAND = 261;
/** Octets of a short answer with its status word. */
const MIN_ANSWER = 2;
const MAX_ANSWER = 258;
/** An ISO/IEC 7816-3 ATR has 2 to 33 octets. */
const MIN_ATR = 2;
const MAX_ATR = 33;

interface Waiting {
  readonly tag: number;
  readonly resolve: (data: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** A channel to the card in a token; `firmware-notes/tokens.md`. Opening it resets the card. */
export class TokenChannel implements CardChannel {
  atr: Uint8Array = new Uint8Array();
  readonly #link: TokenLink;
  readonly #clock: Clock;
  readonly #channel = chooseChannel();
  readonly #reader = new MessageReader(MAX_ANSWER);
  readonly #queue = new SerialQueue();
  #waiting: Waiting | undefined;
  /** When a frame for us came last, by the clock's `monotonic`. */
  #heard = 0;
  #lost: CardGoneError | undefined;

  /**
   * Resets the card in a token.
   * @throws CardGoneError when the token or its card does not answer. The link is closed then.
   */
  static async open(link: TokenLink, clock: Clock): Promise<TokenChannel> {
    const channel = new TokenChannel(link, clock);
    try {
      const atr = await channel.#ask(TOKEN_TAG.RESET, new Uint8Array());
      if (atr.length < MIN_ATR || atr.length > MAX_ATR) throw channel.#end('gave no answer to reset');
      channel.atr = atr;
    } catch (error) {
      await link.close();
      throw error;
    }
    return channel;
  }

  private constructor(link: TokenLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    link.listen({
      frame: (octets) => this.#receive(octets),
      gone: (cause) => void this.#end('is gone', cause),
    });
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    return this.#queue.run(async () => {
      if (command.length < MIN_COMMAND || command.length > MAX_COMMAND) {
        throw new TransportError(
          'TOKEN_FRAME',
          `a command to a token has ${MIN_COMMAND} to ${MAX_COMMAND} octets, not ${command.length}; send a shorter one`,
        );
      }
      const answer = await this.#ask(TOKEN_TAG.APDU, command);
      if (answer.length < MIN_ANSWER) throw this.#end('gave no status word');
      return answer;
    });
  }

  async #ask(tag: number, data: Uint8Array): Promise<Uint8Array> {
    if (this.#lost !== undefined) throw this.#lost;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting = { tag, resolve, reject };
    // The token may go while a frame is being sent, before anybody waits for the answer.
    promise.catch(() => undefined);
    this.#heard = this.#clock.monotonic();
    const answered = new AbortController();
    const watch = this.#watch(answered.signal);
    // A token that takes no frame is one that does not answer: nobody waits for the sending alone.
    void this.#send({ channel: this.#channel, tag, data });
    try {
      return await promise;
    } finally {
      this.#waiting = undefined;
      answered.abort();
      await watch;
    }
  }

  async #send(message: TokenMessage): Promise<void> {
    try {
      for (const frame of encodeFrames(message)) await this.#link.send(frame);
    } catch (cause) {
      this.#end('is gone', cause);
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const left = this.#heard + MAX_SILENCE_MS - this.#clock.monotonic();
        if (left <= 0) break;
        await this.#clock.sleep(left, signal);
      }
      this.#end('does not answer');
    } catch {
      // It has answered.
    }
  }

  #receive(octets: Uint8Array): void {
    const outcome = this.#reader.accept(octets);
    if (outcome === undefined) return;
    const { channel } = 'error' in outcome ? outcome : outcome.message;
    // It may be for a program that has ended.
    if (channel !== this.#channel) return;
    this.#heard = this.#clock.monotonic();
    if ('error' in outcome) this.#end('sent an answer with a gap');
    else this.#take(outcome.message);
  }

  #take({ tag, data }: TokenMessage): void {
    const waiting = this.#waiting;
    if (tag === TOKEN_TAG.KEEP_ALIVE) return;
    if (waiting !== undefined && tag === waiting.tag) {
      this.#waiting = undefined;
      return waiting.resolve(data);
    }
    if (tag !== TOKEN_TAG.ERROR) return void this.#end('answers without being asked');
    switch (data[0]) {
      case TOKEN_ERROR.NO_CARD:
        return void this.#end('has no card that answers');
      case TOKEN_ERROR.OTHER_CHANNEL:
        return void this.#end('was taken over by another program');
      default:
        return void this.#end(`reports error ${data[0] ?? 'none'}`);
    }
  }

  #end(what: string, cause?: unknown): CardGoneError {
    if (this.#lost === undefined) {
      const text = `the token ${this.#link.name} ${what}; plug it in again, and the session starts anew`;
      this.#lost = new CardGoneError(text, { cause });
      this.#waiting?.reject(this.#lost);
      this.#waiting = undefined;
      void this.#link.close();
    }
    return this.#lost;
  }

  /** Resets the card, so that no key and no open session stays in it for the next program. */
  async close(): Promise<void> {
    if (this.#lost !== undefined) return this.#link.close();
    const over = new AbortController();
    const patience = this.#clock.sleep(MAX_CLOSE_MS, over.signal);
    const reset = this.#queue.run(() => this.#ask(TOKEN_TAG.RESET, new Uint8Array()));
    await Promise.race([Promise.allSettled([reset]), patience]);
    patience.catch(() => undefined);
    over.abort();
    this.#lost ??= new CardGoneError('the channel to the card is closed; open the card again');
    this.#waiting?.reject(this.#lost);
    await this.#link.close();
  }
}

/** At random, so that an answer to a program that has ended is told from ours. */
function chooseChannel(): number {
  for (;;) {
    const [channel = 0] = crypto.getRandomValues(new Uint16Array(1));
    if (isTokenChannel(channel)) return channel;
  }
}
