/** Receives a service, has the card take the toll and open it, and passes it on. */
import '../../apdu/require-node.ts';
export { Bridge } from './bridge.ts';
export type { BridgeOptions } from './bridge-options.ts';
export { type BridgeState, type BridgeStatus, DROP_REASONS, type DropReason } from './status/bridge-status.ts';
export type { DecidePrice, PriceOffer } from './price/price-offer.ts';
export type { Bill, BridgeEnd, EndCode } from './run-end.ts';
export { receiveService } from './receive-service.ts';
export type { ServiceAddress, ServiceReceiver } from '../transport/network/service-receiver.ts';
export type { StopReason } from './card/stop-reason.ts';
