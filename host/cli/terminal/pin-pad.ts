import type { CardChannel } from '../../../apdu/card-channel.ts';

/** The option of commands that want a PIN, as commander takes it. */
export const PIN_PAD_OPTION = [
  '--pin-pad',
  'the PIN is entered at the keypad of the reader, where no program sees it',
] as const;

/** Tells the holder when the reader waits for the PIN. */
export function tellPinEntry(channel: CardChannel, tell: (line: string) => void): CardChannel {
  return {
    atr: channel.atr,
    transmit: (command) => channel.transmit(command),
    close: () => channel.close(),
    enterPin:
      channel.enterPin &&
      ((command) => {
        tell('enter the PIN at the keypad of the reader');
        return channel.enterPin!(command);
      }),
  };
}
