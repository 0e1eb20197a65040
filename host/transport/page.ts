/** Opens cards in a web page: a token by WebUSB, and the soft module. Nothing of Node is needed. */
import '../../apdu/require-node.ts';
export { SoftChannel, type SoftChannelOptions } from './card/soft/soft-channel.ts';
export type { TokenUsbDevice } from './card/webusb/usb-device.ts';
export { openWebUsbToken, TOKEN_INTERFACE } from './card/webusb/webusb-token.ts';
