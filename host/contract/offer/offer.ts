import type { ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import type { Ceilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import type { Currency } from '../../money/currency.ts';
import type { SessionIdentity } from '../session/session-identity.ts';

/** What a component of a price is reckoned by. */
export type PriceBasis = 'free' | 'octets' | 'duration' | 'programme' | 'period';

/** One of the two things that a join buys, and how it is paid for. */
export interface PriceComponent {
  /** What is watched, or that it is brought. */
  readonly part: 'content' | 'delivery';
  readonly payer: 'user' | 'provider';
  readonly basis: PriceBasis;
  /** Taken by the card, or billed from the charging entry; never both. */
  readonly settlement: 'purse' | 'invoice';
  /** Micro-units per 1,000,000 octets, per 3,600,000 ms, per programme or per period, 0 to 2^32 - 1; 0 when free. */
  readonly price: bigint;
  /** Seconds of a period; with that basis alone. */
  readonly period?: number;
}

/** Time that is sold by slots: slot i begins at start + i x length. */
export interface SlotGrid {
  /** Seconds since 1970 at which some slot starts. */
  readonly start: number;
  /** Seconds of a slot. */
  readonly length: number;
  /** Seconds before a slot's end until which extensions and leaves count for it. */
  readonly offset: number;
}

/** Where requests are sent. */
export interface HeadEndAddress {
  /** `https://...`, without a path behind the host but that of the API. */
  readonly url: string;
  /** SHA-256 of the server's public key as it stands in its certificate (SubjectPublicKeyInfo, DER), hexadecimal. */
  readonly tlsKey: string;
}

/** Where packets are sent. */
export interface SessionAddress {
  /** IPv4, multicast as a rule. */
  readonly address: string;
  readonly port: number;
  readonly keyPort: number;
  /** IPv4 addresses of senders, where the network brings source-specific multicast. */
  readonly sources: readonly string[];
}

/** What a join of a session would cost, and all that a receiver has to know before it asks. */
export interface Offer {
  /** As people call the channel. */
  readonly name: string;
  readonly session: SessionIdentity;
  /** u32, 1 and up. */
  readonly service: number;
  /** One, or one for content and one for delivery. */
  readonly components: readonly PriceComponent[];
  /** Of all prices; none where all is free. */
  readonly currency?: Currency;
  /** The most that the purchase will allow; a receiver loads none above it. */
  readonly ceilings: Omit<Ceilings, 'currency'>;
  /** Where time is sold by slots. */
  readonly slots?: SlotGrid;
  /** Seconds: requests are sent at the start of a join and whole multiples of this after it. */
  readonly requestInterval: number;
  /** Seconds that a join asks for when nothing else says how long. */
  readonly joinLength: number;
  /** Seconds after which a member that was not heard of is dropped; left out where nobody is. */
  readonly keepAlive?: number;
  /** The least age that it is for, 0 for all. */
  readonly rating: number;
  /** Suites of ciphers, protocol 4.3. */
  readonly suites: readonly number[];
  /** Classes of modules that may play. */
  readonly classes: readonly ModuleClass[];
  /** The node that is responsible, where there are several. */
  readonly node?: string;
  readonly headEnds: readonly HeadEndAddress[];
  readonly address: SessionAddress;
  /** Seconds since 1970: requests under this offer are answered in [from, to). */
  readonly from: number;
  readonly to: number;
}
