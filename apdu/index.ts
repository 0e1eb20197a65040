/** The card's language: pure TypeScript, no Node import. */
export { type CardChannel } from './card-channel.ts';
export { CardGoneError, FormatError, OutOfRangeError, TollcastError, TransportError } from './errors.ts';
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

export { signAcknowledgement } from './decode-module/acknowledgement.ts';
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
} from './decode-module/card-part.ts';
export { type Ceilings, decodeCeilings, encodeCeilings } from './decode-module/ceilings.ts';
export { type ContentTerms, decodeContentTerms, encodeContentTerms } from './decode-module/content-terms.ts';
export {
  type LoadOrder,
  type LoadRequest,
  openLoadProof,
  openLoadRequest,
  parseLoadRequest,
  signLoadOrder,
} from './decode-module/credit-load.ts';
export { DecodeModule } from './decode-module/decode-module.ts';
export { type KeyEntry } from './decode-module/key-list.ts';
export {
  type KeyMessage,
  type KeyMessageHeader,
  parseKeyMessage,
  sealKeyMessage,
} from './decode-module/key-message.ts';
export { splitKey } from './decode-module/key-pair.ts';
export { KIND } from './decode-module/kinds.ts';
export { ModuleError, type ModuleErrorCode } from './decode-module/module-status.ts';
export {
  type CardKeySet,
  type CardProfile,
  DGI,
  encodeCardKeys,
  encodeCardProfile,
} from './decode-module/personalisation.ts';
export { PurseStatus } from './decode-module/purse-status.ts';
export { openReceipt, parseReceipt, type Receipt } from './decode-module/receipt.ts';
export {
  type Capability,
  hasCapability,
  type LifeState,
  MODULE_AID,
  type SelectAnswer,
} from './decode-module/select-answer.ts';
export { ForgedError } from './decode-module/signed-message.ts';
export { amountOf, type Tariff, type TariffKind, ticksOf, TICKS_PER_MICRO_UNIT } from './decode-module/tariff.ts';
export { moduleTracePolicy } from './decode-module/trace-policy.ts';
