import type { CardChannel } from '../../apdu/card-channel.ts';
import { CardGoneError } from '../../apdu/errors.ts';
import type { SimulatedCard } from '../simulator/simulated-card.ts';

/** The card in a token. */
export interface TokenCard {
  /** Switches it off and on. @returns the answer to reset. */
  reset(): Promise<Uint8Array>;
  transmit(command: Uint8Array): Promise<Uint8Array>;
}

/** Puts a card that was started into a token, the soft module or the applet. */
export function createTokenCard(card: SimulatedCard): TokenCard {
  let channel: CardChannel | undefined;
  return {
    reset: async () => {
      await channel?.close();
      channel = await card.channel();
      return channel.atr;
    },
    transmit: async (command) => {
      if (channel === undefined) throw new CardGoneError();
      return channel.transmit(command);
    },
  };
}
