import type { SimulatedCard } from '../../card-sim/index.ts';
import { GadgetToken } from '../../card-sim/token/gadget-token.ts';
import { UhidToken } from '../../card-sim/token/uhid-token.ts';
import type { UsbForm } from '../../card-sim/token/usb-descriptors.ts';

/** What of an emulated token the tests need, whichever way it is plugged in. */
export interface Plug extends AsyncDisposable {
  plugIn(): Promise<void>;
  unplug(): Promise<void>;
}

export type Transport = 'hid' | 'usb';

/** Two tokens at once are one of each form. */
const FORMS: Readonly<Record<string, UsbForm>> = {
  A1: { speed: 'high', endpoints: 'bulk' },
  B2: { speed: 'full', endpoints: 'interrupt' },
};

export async function createPlug(transport: Transport, card: SimulatedCard, serial: 'A1' | 'B2'): Promise<Plug> {
  if (transport === 'usb') return GadgetToken.create({ card, serial, ...FORMS[serial]! });
  let token: UhidToken | undefined;
  const unplug = async (): Promise<void> => token?.unplug();
  return {
    plugIn: async () => {
      token = UhidToken.plugIn(card, serial);
    },
    unplug,
    [Symbol.asyncDispose]: unplug,
  };
}
