/** Opens cards, and what else a bridge needs of the machine it runs on. */
import '../../apdu/require-node.ts';
export {
  CARD_ADDRESS_SYNTAX,
  type CardAddress,
  openCard,
  type OpenCardOptions,
  parseCardAddress,
} from './card/card-address.ts';
export { listReaders, type ReaderEvent, type ReaderInfo, waitForAnyCard, watchReaders } from './card/pcsc/readers.ts';
export { PcscError } from './card/pcsc/pcsc-error.ts';
export { SoftChannel, type SoftChannelOptions } from './card/soft/soft-channel.ts';
export { waitForCard, type WaitForCardOptions } from './card/wait-for-card.ts';
export { nodeAead } from './crypto/node-aead.ts';
export { loadOpensslAead } from './crypto/node-openssl-aead.ts';
export { loadOpensslCbc } from './crypto/node-openssl-cbc.ts';
