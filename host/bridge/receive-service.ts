import {
  openServiceReceiver,
  type ServiceAddress,
  type ServiceReceiver,
} from '../transport/network/service-receiver.ts';
import type { Bridge } from './bridge.ts';

/**
 * Lets a bridge hear a service: its media, its keys and its BYE.
 * @throws TransportError `PORT_TAKEN`, `ADDRESS_UNREACHABLE`.
 */
export async function receiveService(from: ServiceAddress, bridge: Bridge): Promise<ServiceReceiver> {
  const receiver = await openServiceReceiver(from, {
    media: bridge.receiveMedia.bind(bridge),
    rtcp: bridge.receiveRtcp.bind(bridge),
    keys: bridge.receiveKeys.bind(bridge),
  });
  bridge.onPreference = (preferred) => receiver.media.prefer(preferred.sources, preferred.share);
  return receiver;
}
