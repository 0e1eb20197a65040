/** The card's language: pure TypeScript, no Node import. */
import './require-node.ts';
export { type CardChannel } from './card-channel.ts';
export { ERROR_CODES, type ErrorCode, EXIT_STATUS, exitStatusOf } from './error-codes.ts';
export { CardGoneError, FormatError, InputError, OutOfRangeError, TollcastError, TransportError } from './errors.ts';
export { fromHex, toHex } from './octets.ts';

export { findTlv, parseTlv, type Tlv, type TlvBounds } from './iso7816/ber-tlv.ts';
export { type CommandApdu, encodeCommand, parseCommand } from './iso7816/command-apdu.ts';
export { exchange, type ExchangeOptions } from './iso7816/exchange.ts';
export { parseResponse, type ResponseApdu } from './iso7816/response-apdu.ts';
export { describeStatus, StatusWordError } from './iso7816/status-word.ts';
export {
  formatTrace,
  parseTrace,
  type Trace,
  traceChannel,
  type TraceEntry,
  type TraceOptions,
} from './iso7816/trace.ts';

export { signAcknowledgement } from './decode-module/money/acknowledgement.ts';
export { type BlindPacket, openBlind, sealBlind } from './decode-module/packets/blind-blocks.ts';
export {
  type CardId,
  decodeCardId,
  encodeCardId,
  formatCardId,
  type ModuleClass,
  parseCardId,
} from './decode-module/card-id.ts';
export {
  type CardHeader,
  contentCiphers,
  type Mode,
  parseCardHeader,
  sealCardPart,
} from './decode-module/packets/card-part.ts';
export { type Ceilings, decodeCeilings, encodeCeilings } from './decode-module/keys/ceilings.ts';
export { combine, separate } from './decode-module/keys/combined-section.ts';
export { type Confirm, openConfirm } from './decode-module/requests/confirm.ts';
export { type ContentTerms, decodeContentTerms, encodeContentTerms } from './decode-module/keys/content-terms.ts';
export {
  type LoadOrder,
  type LoadRequest,
  openLoadProof,
  openLoadRequest,
  parseLoadRequest,
  signLoadOrder,
} from './decode-module/money/credit-load.ts';
export { DecodeModule } from './decode-module/decode-module.ts';
export { encodeDetachedPart, parseDetachedPart } from './decode-module/packets/detached-part.ts';
export { type KeyEntry } from './decode-module/keys/key-list.ts';
export {
  type KeyMessage,
  type KeyMessageHeader,
  parseKeyMessage,
  sealKeyMessage,
} from './decode-module/keys/key-message.ts';
export { childNodes, KeyTree, parentNode, pathAbove, sealLeaf } from './decode-module/keys/key-tree.ts';
export { deriveWorkingKeys } from './decode-module/working-keys.ts';
export { KIND } from './decode-module/kinds.ts';
export { type LeaveRecord, openLeaveRecord } from './decode-module/requests/leave-record.ts';
export {
  coverSlots,
  purchasesOfSlots,
  type SeedLabel,
  seedKey,
  slotKeys,
  type SlotRange,
} from './decode-module/keys/marks.ts';
export { ModuleError, type ModuleErrorCode } from './decode-module/module-status.ts';
export {
  type CardKeySet,
  type CardProfile,
  DGI,
  encodeCardKeys,
  encodeCardProfile,
} from './decode-module/personalisation.ts';
export { generateP256, type P256Pair, p256PairOf } from './decode-module/keys/p256.ts';
export {
  type HeaderUnderPublicKey,
  type PublicKeySender,
  sealUnderCardPair,
  sealUnderServicePair,
} from './decode-module/keys/public-key-parent.ts';
export { type PurseStatus } from './decode-module/money/purse-status.ts';
export { openReceipt, parseReceipt, type Receipt } from './decode-module/money/receipt.ts';
export { sealSeedPurchase, type SeedPurchase } from './decode-module/keys/seed-purchase.ts';
export { sealServicePair, type ServicePairBuyer, type ServicePairPurchase } from './decode-module/keys/service-pair.ts';
export {
  type Capability,
  hasCapability,
  type LifeState,
  MODULE_AID,
  type SelectAnswer,
} from './decode-module/select-answer.ts';
export { openRequest, type RequestKind, type ServiceRequest } from './decode-module/requests/signed-request.ts';
export { ForgedError } from './decode-module/signed-message.ts';
export { amountOf, type Tariff, type TariffKind, ticksOf, TICKS_PER_MICRO_UNIT } from './decode-module/money/tariff.ts';
export { moduleTracePolicy } from './decode-module/trace-policy.ts';
