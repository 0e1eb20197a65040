// The card's language, in pure TypeScript without Node. All of it follows firmware-notes/protocol.md.
import './require-node.ts';

// A channel to a card, which a transport brings, and the errors that everything here throws.
export { type CardChannel } from './card-channel.ts';
export { ERROR_CODES, type ErrorCode, EXIT_STATUS, exitStatusOf } from './error-codes.ts';
export { CardGoneError, FormatError, InputError, OutOfRangeError, TollcastError, TransportError } from './errors.ts';
export { ForgedError } from './decode-module/signed-message.ts';
export { fromHex, toHex } from './octets.ts';

// ISO/IEC 7816: commands, answers, data objects, and traces of both.
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
export { moduleTracePolicy } from './decode-module/trace-policy.ts';

// The decode module: its commands, and what it says of itself.
export { DecodeModule } from './decode-module/decode-module.ts';
export { ModuleError, type ModuleErrorCode, STATUS } from './decode-module/module-status.ts';
export {
  type Capability,
  hasCapability,
  type LifeState,
  MODULE_AID,
  type SelectAnswer,
} from './decode-module/select-answer.ts';
export { type ModuleData } from './decode-module/module-data.ts';
export { type KeyEntry } from './decode-module/keys/key-list.ts';
export { KIND, type KeyKind, type ParentKind } from './decode-module/kinds.ts';

// Secure channel (SCP03): what personalises and administers a card goes through it.
export { openSecureChannel, type SecureChannel, type SecureChannelOptions } from './secure-channel/secure-channel.ts';
export { type ChannelKeySet } from './secure-channel/scp03-keys.ts';
export { putKey } from './secure-channel/put-key.ts';
export { SecureChannelError } from './secure-channel/secure-channel-error.ts';
export { type SecurityLevel } from './secure-channel/security-level.ts';
export { TEST_KEY_SET } from './secure-channel/test-key-set.ts';

// Personalisation: card ids, keys made from the issuer's masters, and the values of STORE DATA.
export {
  type CardId,
  decodeCardId,
  encodeCardId,
  formatCardId,
  type ModuleClass,
  parseCardId,
} from './decode-module/card-id.ts';
export {
  CARD_KEYS,
  type CardKeyName,
  deriveCardKey,
  deriveChannelKeys,
  type MasterName,
} from './decode-module/keys/card-keys.ts';
export {
  type CardKeySet,
  type CardProfile,
  DGI,
  encodeCardKeys,
  encodeCardProfile,
} from './decode-module/personalisation.ts';
export { type CardLimits, encodeCardLimits, NO_LIMITS, NO_SPEND_LIMIT } from './decode-module/card-limits.ts';
export { encodeVerificationKey, type VerificationKey } from './decode-module/keys/verification-key.ts';
export { encodePin } from './decode-module/pin.ts';

// Key messages: what the head-end sends so that a card can open a service.
export { type Ceilings, decodeCeilings, encodeCeilings } from './decode-module/keys/ceilings.ts';
export { combine, separate } from './decode-module/keys/combined-section.ts';
export { type ContentTerms, decodeContentTerms, encodeContentTerms } from './decode-module/keys/content-terms.ts';
export {
  type KeyMessage,
  type KeyMessageHeader,
  parseKeyMessage,
  sealKeyMessage,
} from './decode-module/keys/key-message.ts';
export { childNodes, KeyTree, parentNode, pathAbove, sealLeaf } from './decode-module/keys/key-tree.ts';
export {
  coverSlots,
  splitSlots,
  type SeedLabel,
  deriveSeedKey,
  deriveSlotKeys,
  type SlotRange,
} from './decode-module/keys/marks.ts';
export { generateP256, type P256Pair, p256PairOf } from './decode-module/keys/p256.ts';
export {
  type HeaderUnderPublicKey,
  type PublicKeySender,
  sealUnderCardPair,
  sealUnderServicePair,
} from './decode-module/keys/public-key-parent.ts';
export { sealSeedPurchase, type SeedPurchase } from './decode-module/keys/seed-purchase.ts';
export { sealServicePair, type ServicePairBuyer, type ServicePairPurchase } from './decode-module/keys/service-pair.ts';
export { deriveWorkingKeys, type WorkingKeys } from './decode-module/working-keys.ts';

// Packets: what the card decrypts.
export { type BlindPacket, openBlind, sealBlind } from './decode-module/packets/blind-blocks.ts';
export {
  type CardHeader,
  makeContentCiphers,
  type Mode,
  parseCardHeader,
  sealCardPart,
} from './decode-module/packets/card-part.ts';
export { encodeDetachedPart, parseDetachedPart } from './decode-module/packets/detached-part.ts';

// Money: the purse, its log, loads, receipts and tariffs. Amounts are micro-units, as bigint.
export { signAcknowledgement } from './decode-module/money/acknowledgement.ts';
export {
  type LoadOrder,
  type LoadRequest,
  openCreditLimitProof,
  openLoadProof,
  openLoadRequest,
  parseLoadRequest,
  signCreditLimit,
  signLoadOrder,
} from './decode-module/money/credit-load.ts';
export { type LogRecord } from './decode-module/money/log-record.ts';
export { type PurseStatus } from './decode-module/money/purse-status.ts';
export { openReceipt, parseReceipt, type Receipt } from './decode-module/money/receipt.ts';
export { amountOf, type Tariff, type TariffKind, ticksOf, TICKS_PER_MICRO_UNIT } from './decode-module/money/tariff.ts';
export { MAX_MONEY } from './layout/max-money.ts';

// Requests: what a card signs for the head-end.
export { type Confirm, openConfirm } from './decode-module/requests/confirm.ts';
export { type LeaveRecord, openLeaveRecord, parseLeaveRecord } from './decode-module/requests/leave-record.ts';
export {
  openRequest,
  type RequestKind,
  type ServiceRequest,
  type SignedRequest,
} from './decode-module/requests/signed-request.ts';
export { MIN_REQUEST_TIME, OPEN_REQUEST_END } from './layout/requests.ts';
