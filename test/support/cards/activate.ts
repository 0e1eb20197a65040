import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';

/**
 * Makes a blank, selected card active, as the issuer does, but for its channel keys.
 * @param profile value of DGI 0001.
 * @param keys value of DGI 8001.
 */
export async function activate(channel: CardChannel, profile: Uint8Array, keys: Uint8Array): Promise<void> {
  const module = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await module.storeData(DGI.profile, profile, false);
  await module.storeData(DGI.keys, keys, true);
  await module.setStatus('active');
}
