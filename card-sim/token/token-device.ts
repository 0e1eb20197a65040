import { encodeFrames, TOKEN_ERROR, TOKEN_TAG, type TokenMessage } from '../../apdu/token/frame.ts';
import { MessageReader } from '../../apdu/token/message-reader.ts';
import type { Clock } from '../../host/clock/clock.ts';
import type { TokenCard } from './token-card.ts';

export interface TokenDeviceOptions {
  readonly card: TokenCard;
  /** Sends a frame to the host. */
  readonly send: (frame: Uint8Array) => void;
  readonly clock: Clock;
}

/** ms between two signs of life while a command is under way. */
const KEEP_ALIVE_MS = 250;
/** Octets of a short APDU. */
const MAX_COMMAND = 261;
const MIN_COMMAND = 4;

/** The USB half of a token: what stands in `firmware-notes/tokens.md` 2, over any card. */
export class TokenDevice {
  readonly #options: TokenDeviceOptions;
  readonly #reader = new MessageReader(MAX_COMMAND);
  /** The channel that has the card. */
  #owner: number | undefined;
  /** What is under way. The answer of a command is not sent any more once it was dropped. */
  #running: { end: Promise<void>; isDropped: boolean } | undefined;
  #isPulled = false;

  constructor(options: TokenDeviceOptions) {
    this.#options = options;
  }

  /** Takes a frame from the host. */
  receive(octets: Uint8Array): void {
    const outcome = this.#reader.accept(octets);
    if (outcome === undefined) return;
    if ('error' in outcome) this.#refuse(outcome.channel, outcome.error);
    else this.#handle(outcome.message);
  }

  /** The token is unplugged: nothing is sent any more. */
  pull(): void {
    this.#isPulled = true;
  }

  #handle({ channel, tag, data }: TokenMessage): void {
    switch (tag) {
      case TOKEN_TAG.RESET:
        return this.#afterCommand(channel, () => this.#reset(channel));
      case TOKEN_TAG.CANCEL:
        if (channel !== this.#owner) return this.#refuse(channel, TOKEN_ERROR.OTHER_CHANNEL);
        return this.#afterCommand(channel, async () => this.#answer(channel, TOKEN_TAG.CANCEL, new Uint8Array()));
      case TOKEN_TAG.APDU:
        if (channel !== this.#owner) return this.#refuse(channel, TOKEN_ERROR.OTHER_CHANNEL);
        if (this.#running !== undefined) return this.#refuse(channel, TOKEN_ERROR.BUSY);
        if (data.length < MIN_COMMAND) return this.#refuse(channel, TOKEN_ERROR.WRONG_LENGTH);
        return this.#start(channel, () => this.#run(channel, data));
      default:
        return this.#refuse(channel, TOKEN_ERROR.UNKNOWN_TAG);
    }
  }

  #afterCommand(channel: number, job: () => Promise<void>): void {
    const before = this.#running;
    if (before !== undefined) before.isDropped = true;
    this.#start(channel, async () => {
      await before?.end;
      await job();
    });
  }

  #start(channel: number, job: () => Promise<void>): void {
    const running = { end: Promise.resolve(), isDropped: false };
    this.#running = running;
    const over = new AbortController();
    void this.#keepAlive(channel, over.signal);
    running.end = job().finally(() => {
      over.abort();
      if (this.#running === running) this.#running = undefined;
    });
  }

  async #reset(channel: number): Promise<void> {
    this.#owner = undefined;
    try {
      const atr = await this.#options.card.reset();
      this.#owner = channel;
      this.#answer(channel, TOKEN_TAG.RESET, atr);
    } catch {
      this.#refuse(channel, TOKEN_ERROR.NO_CARD);
    }
  }

  async #run(channel: number, command: Uint8Array): Promise<void> {
    const running = this.#running!;
    let reply: { readonly tag: number; readonly data: Uint8Array };
    try {
      reply = { tag: TOKEN_TAG.APDU, data: await this.#options.card.transmit(command) };
    } catch {
      this.#owner = undefined;
      reply = { tag: TOKEN_TAG.ERROR, data: Uint8Array.of(TOKEN_ERROR.NO_CARD) };
    }
    if (!running.isDropped) this.#answer(channel, reply.tag, reply.data);
  }

  async #keepAlive(channel: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#options.clock.sleep(KEEP_ALIVE_MS, signal);
      } catch {
        return; // the command has ended
      }
      if (!signal.aborted) this.#answer(channel, TOKEN_TAG.KEEP_ALIVE, new Uint8Array());
    }
  }

  #refuse(channel: number, error: number): void {
    this.#answer(channel, TOKEN_TAG.ERROR, Uint8Array.of(error));
  }

  #answer(channel: number, tag: number, data: Uint8Array): void {
    if (this.#isPulled) return;
    for (const frame of encodeFrames({ channel, tag, data })) this.#options.send(frame);
  }
}
