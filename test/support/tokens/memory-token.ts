import type { CardChannel } from '../../../apdu/card-channel.ts';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { createTokenCard, type TokenCard } from '../../../card-sim/token/token-card.ts';
import { TokenDevice } from '../../../card-sim/token/token-device.ts';
import type { Clock } from '../../../host/clock/clock.ts';
import { TokenChannel } from '../../../host/transport/card/token/token-channel.ts';
import type { TokenLinkListener } from '../../../host/transport/card/token/token-link.ts';

/** A token without a wire: frames go from the host's half to the token's, and back, in this process. */
export class MemoryToken {
  readonly device: TokenDevice;
  readonly #clock: Clock;
  readonly #listeners = new Set<TokenLinkListener>();
  /** Every frame as it travelled. */
  readonly sent: Uint8Array[] = [];
  readonly answered: Uint8Array[] = [];
  /** Stands between card and host. */
  onAnswer = (frame: Uint8Array): readonly Uint8Array[] => [frame];

  /** Called while a frame is being sent. */
  onSend = async (): Promise<void> => {};

  /** @param wrap puts something between the token and its card. */
  constructor(card: SimulatedCard, clock: Clock, wrap: (card: TokenCard) => TokenCard = (inside) => inside) {
    this.#clock = clock;
    this.device = new TokenDevice({
      card: wrap(createTokenCard(card)),
      clock,
      send: (frame) => this.#answer(frame),
    });
  }

  open(): Promise<CardChannel> {
    let listener: TokenLinkListener | undefined;
    const link = {
      name: 'hid:memory',
      listen: (heard: TokenLinkListener) => {
        listener = heard;
        this.#listeners.add(heard);
      },
      send: async (frame: Uint8Array) => {
        this.sent.push(frame);
        await this.onSend();
        queueMicrotask(() => this.device.receive(frame));
      },
      close: async () => void (listener !== undefined && this.#listeners.delete(listener)),
    };
    return TokenChannel.open(link, this.#clock);
  }

  /** Unplugs it; the card keeps what it has written. */
  pull(): void {
    this.device.pull();
    for (const { gone } of this.#listeners) gone(new Error('unplugged'));
  }

  #answer(frame: Uint8Array): void {
    this.answered.push(frame);
    // As with HID, every program that has the token open hears all.
    for (const heard of this.onAnswer(frame)) for (const { frame: tell } of this.#listeners) tell(heard);
  }
}
