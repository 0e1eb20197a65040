/** Seals a source and multicasts it, with the keys that its cards need. */
import '../../apdu/require-node.ts';
export { formatPrice, parsePrice, type Price } from '../money/price.ts';
export type { GroupLimits } from './keys/grants/grant.ts';
export { type GrantNumbers, openGrantNumbers } from './keys/numbers/grant-numbers.ts';
export { type GrantedCard, type GrantTerms, openGrantedCards } from './keys/grants/granted-cards.ts';
export { KeyManager, type KeyManagerOptions } from './keys/key-manager.ts';
export { lockService } from './keys/numbers/service-lock.ts';
export { chooseQuantum, parseQuantum } from './keys/grants/quantum.ts';
export type { ContentKeys, ContentPeriod } from './sender/content-keys.ts';
export { chooseProfile, limitGroups, type ProfileMode, type SealingProfile } from './sender/sealing-profile.ts';
export { completeAddress, type ServiceAddress } from './sender/service-ports.ts';
export { ServiceSender, type ServiceSenderOptions, type ServiceTotals } from './sender/service-sender.ts';
export { startStream, type StreamStart } from './sender/stream-start.ts';
export type { MediaChunk, MediaSource } from './sources/media-source.ts';
export { openSource } from './sources/open-source.ts';
export { detectFormat, type Detected } from './sources/detect-format.ts';
export { type FileCarousel, openFileCarousel } from './sources/file/file-carousel.ts';
export type { SourceFormat } from './sources/source-format.ts';
export type { BillingPort, ChargingMode, SessionMeter } from './charging/billing-port.ts';
export type { Charges, ChargeTerms } from './charging/charge-terms.ts';
export type { ChargingScheme, ClosedEntry } from './charging/schemes/charging-scheme.ts';
export { addScheme } from './charging/schemes/known-schemes.ts';
export { StoreBilling } from './charging/store-billing.ts';
export type { ListedMember, MemberList } from './membership/member-list.ts';
export type { SoldSession } from './membership/sold-session.ts';
export type { Reply } from './requests/reply.ts';
export { RequestDesk, type RequestDeskOptions } from './requests/request-desk.ts';
export type { CardStandings, OfferBook } from './requests/request-ports.ts';
export type {
  EndedMember,
  EndReason,
  GrantedKeys,
  KeyGrant,
  MembershipChange,
  MembershipEvents,
  SessionKeys,
} from './requests/session-keys.ts';
