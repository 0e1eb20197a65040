import { isIPv4 } from 'node:net';
import type { Tariff, TariffKind } from '../../../apdu/decode-module/money/tariff.ts';
import type { PriceBasis, PriceComponent } from '../../contract/offer/offer.ts';
import { parseSession, type SessionIdentity } from '../../contract/session/session-identity.ts';
import type { Currency } from '../../money/currency.ts';
import { parsePrice } from '../../money/price.ts';
import { parseMulticastAddress } from '../../transport/network/multicast-address.ts';
import { isMulticast } from '../../transport/network/udp-sender.ts';
import { chooseQuantum, parseQuantum } from '../keys/grants/quantum.ts';
import { chooseProfile, type SealingProfile } from '../sender/sealing-profile.ts';
import { completeAddress, type ServiceAddress } from '../sender/service-ports.ts';
import type { SourceFormat } from '../sources/source-format.ts';
import type { FaultList, FieldPath } from './config-fault.ts';
import type { ComponentDefinition, ServiceDefinition, SessionDefinition } from './config-schema.ts';
import { type KeysPlan, planKeys, requireKeysForInvoices } from './plan-keys.ts';
import { type PlannedSchemes, planSchemes } from './plan-schemes.ts';

/** A programme, media time [from, to). */
export interface Programme {
  readonly title: string;
  readonly from: number;
  readonly to: number;
}

/** What one session is and how it is sent. Times in seconds. */
export interface SessionPlan extends KeysPlan {
  readonly name: string;
  /** Made at the first start when the operator names none. */
  readonly origin: SessionIdentity | undefined;
  readonly source: string;
  readonly format: SourceFormat | undefined;
  readonly rate: number | undefined;
  readonly repeats: boolean;
  readonly to: ServiceAddress;
  /** IPv4 addresses that its packets come from; none where receivers are to take them from anywhere. */
  readonly sources: readonly string[];
  readonly profile: SealingProfile;
  readonly programme: readonly Programme[];
}

/** What a service sells. */
export interface ServicePlan {
  readonly number: number;
  readonly name: string;
  readonly rating: number;
  readonly classes: { readonly card: boolean; readonly soft: boolean };
  readonly suites: readonly number[];
  /** Content first. */
  readonly components: readonly PriceComponent[];
  /** Whether a user is billed for what it could open, and not for what it opened. */
  readonly isInvoiced: boolean;
  /** Whether invoices are made from the log of key requests alone, without members and charging entries. */
  readonly isBilledByLog: boolean;
  /** By components. */
  readonly schemes: PlannedSchemes;
  /** What the card takes: the components that are settled by purse. */
  readonly tariff: Tariff;
  /** Of all prices; undefined when everything is free. */
  readonly currency: Currency | undefined;
  /** Micro-units. */
  readonly quantum: bigint;
  /** Seconds that a join lasts. */
  readonly joinLength: number;
  /** Seconds between the requests of a client. */
  readonly requestInterval: number;
  /** Seconds within which a card confirms its key. */
  readonly confirmTimeout: number;
  /** Seconds after which a silent member is dropped; undefined: never. */
  readonly keepAlive: number | undefined;
  readonly sessions: readonly SessionPlan[];
}

const FREE: ComponentDefinition = { price: 'free' };
/** The most that a u32 of the content terms holds, in micro-units. */
const MAX_PRICE = 2n ** 32n - 1n;

/**
 * Reads what a service definition says.
 * @param at its place in the configuration.
 * @param schemes names of charging schemes that are loaded later.
 * @returns undefined when it cannot be used; the list says why then.
 */
export function planService(
  definition: ServiceDefinition,
  at: FieldPath,
  faults: FaultList,
  schemes: readonly string[] = [],
): ServicePlan | undefined {
  const { price, accept = ['card', 'soft'], join } = definition;
  const content = planComponent('content', price.content, [...at, 'price', 'content'], faults);
  const delivery = planComponent('delivery', price.delivery ?? FREE, [...at, 'price', 'delivery'], faults);
  const sessions = definition.sessions.map((session, i) => planSession(session, [...at, 'sessions', i], faults));
  requireDistinct(definition.sessions, at, faults);
  if (content === undefined || delivery === undefined) return undefined;
  const sold = addUp(content, delivery, [...at, 'price'], faults);
  if (sold === undefined) return undefined;
  const { tariff, currency } = sold;
  const quantum = faults.read([...at, 'quantum'], () =>
    definition.quantum === undefined
      ? chooseQuantum(tariff)
      : parseQuantum(
          definition.quantum,
          tariff.kind === 'free' ? { tariff } : { tariff, ...(currency && { currency }) },
        ),
  );
  const parts = price.delivery === undefined ? [content] : [content, delivery];
  const components = parts.map(({ component }) => component);
  const isInvoiced = components.some(isInvoicedToUser);
  const isBilledByLog = definition.billing === 'log';
  if (isBilledByLog) requireLogBilling(definition, components, at, faults);
  else if (isInvoiced) requireKeysForInvoices(definition.sessions, at, faults);
  if (quantum === undefined || sessions.some((session) => session === undefined)) return undefined;
  return {
    number: definition.number,
    name: definition.name,
    rating: definition.rating ?? 0,
    classes: { card: accept.includes('card'), soft: accept.includes('soft') },
    suites: definition.suites ?? [1],
    components,
    isInvoiced,
    isBilledByLog,
    schemes: planSchemes(definition, at, faults, schemes),
    tariff,
    currency,
    quantum,
    joinLength: join?.length ?? 1800,
    requestInterval: join?.interval ?? 60,
    confirmTimeout: join?.confirm ?? 60,
    keepAlive: join?.keepAlive,
    sessions: sessions.filter((session) => session !== undefined),
  };
}

/** A component, and the currency that it is priced in. */
interface PlannedComponent {
  readonly component: PriceComponent;
  readonly currency: Currency | undefined;
}

/** How a basis is written behind the price. */
const UNIT_BASES: ReadonlyMap<string, PriceBasis> = new Map([
  ['MB', 'octets'],
  ['h', 'duration'],
  ['programme', 'programme'],
  ['period', 'period'],
]);

/** What the card reckons by; a period is no business of a card. */
const CARD_TARIFFS: Readonly<Record<PriceBasis, TariffKind | undefined>> = {
  free: 'free',
  octets: 'octets',
  duration: 'duration',
  programme: 'flat',
  period: undefined,
};

function planComponent(
  part: PriceComponent['part'],
  { price: text, period, payer = 'user', settlement = 'purse' }: ComponentDefinition,
  at: FieldPath,
  faults: FaultList,
): PlannedComponent | undefined {
  const [, amount = text, unit = ''] = /^(.*)\/(\w+)\s*$/.exec(text) ?? [];
  const basis = UNIT_BASES.get(unit) ?? (text.trim() === 'free' ? 'free' : undefined);
  if (basis === undefined) {
    faults.add(
      [...at, 'price'],
      `"${text}" is not a price; write "0.25 USD/MB", "5.00 USD/h", "1.50 USD/programme", "9.90 USD/period" or "free"`,
    );
    return undefined;
  }
  // A card's flat price is per segment, and a programme is one.
  const isFlat = basis === 'programme' || basis === 'period';
  const price = faults.read([...at, 'price'], () => parsePrice(isFlat ? `${amount}/segment` : text));
  if (price === undefined) return undefined;
  if ((basis === 'period') !== (period !== undefined)) {
    faults.add([...at, 'period'], 'a price per period needs its seconds here, and no other price has them');
  }
  if (settlement === 'purse' && payer === 'provider' && basis !== 'free') {
    faults.add([...at, 'settlement'], 'a provider has no purse here; write invoice');
  }
  if (settlement === 'purse' && basis === 'period') {
    faults.add([...at, 'settlement'], 'a card does not take by periods; write invoice');
  }
  const { tariff, currency } = price;
  const own = { part, payer, basis, settlement, price: tariff.price };
  return { component: { ...own, ...(period !== undefined && { period }) }, currency };
}

/** Without a list of members, keys are bought one by one, nothing is settled by purse, and nobody is to be heard of. */
function requireLogBilling(
  { sessions, join }: ServiceDefinition,
  components: readonly PriceComponent[],
  at: FieldPath,
  faults: FaultList,
): void {
  for (const [i, { keys: { strategy } = {} }] of sessions.entries()) {
    if (strategy === 'single') continue;
    faults.add(
      [...at, 'sessions', i, 'keys', 'strategy'],
      'what is billed from the log alone has no list of members, so each segment is bought by itself; write single',
    );
  }
  for (const { part, basis, settlement } of components) {
    if (basis === 'free' || settlement === 'invoice') continue;
    faults.add([...at, 'price', part, 'settlement'], 'what a card takes is not billed from the log; write invoice');
  }
  if (join?.keepAlive !== undefined) {
    faults.add([...at, 'join', 'keepAlive'], 'there is no list of members that one could be dropped from; take it out');
  }
}

function isInvoicedToUser({ basis, payer, settlement }: PriceComponent): boolean {
  return basis !== 'free' && payer === 'user' && settlement === 'invoice';
}

/** What the card takes. Two components settled by purse add up, so they need one basis. */
function addUp(
  content: PlannedComponent,
  delivery: PlannedComponent,
  at: FieldPath,
  faults: FaultList,
): { tariff: Tariff; currency: Currency | undefined } | undefined {
  const currency = content.currency ?? delivery.currency;
  if (currency !== undefined && delivery.currency !== undefined && delivery.currency.number !== currency.number) {
    faults.add([...at, 'delivery', 'price'], `content is priced in ${currency.code}; price delivery in it too`);
    return undefined;
  }
  const [first, second] = [content, delivery]
    .map(({ component }) => component)
    .filter(({ settlement, payer, basis }) => settlement === 'purse' && payer === 'user' && basis !== 'free');
  if (first === undefined) return { tariff: { kind: 'free', price: 0n }, currency };
  const kind = CARD_TARIFFS[first.basis];
  // It was told above why a card does not take it.
  if (kind === undefined) return undefined;
  if (second === undefined) return { tariff: { kind, price: first.price }, currency };
  if (second.basis !== first.basis) {
    faults.add(
      [...at, 'delivery'],
      'a purse takes one kind of price; price it like the content, or settle it by invoice',
    );
    return undefined;
  }
  const price = first.price + second.price;
  if (price > MAX_PRICE) {
    faults.add([...at, 'delivery', 'price'], 'with the content it is above 4294.967295, the most; lower it');
    return undefined;
  }
  return { tariff: { kind, price }, currency };
}

function planSession(session: SessionDefinition, at: FieldPath, faults: FaultList): SessionPlan | undefined {
  const { format = 'auto', keys = {}, profile: wanted = {} } = session;
  const address = faults.read([...at, 'address'], () => parseMulticastAddress(session.address));
  const sender = session.interface ?? '127.0.0.1';
  if (!isIPv4(sender)) faults.add([...at, 'interface'], 'write the IPv4 address of an interface of this machine');
  // Multicast leaves with the address of its interface; others with the one that the system chooses.
  const { origin: text, sources = isMulticast(address?.address ?? '') ? [sender] : [] } = session;
  for (const [i, source] of sources.entries()) {
    if (!isIPv4(source)) faults.add([...at, 'sources', i], 'write the IPv4 address of a head-end as receivers see it');
  }
  const origin = text === undefined ? undefined : faults.read([...at, 'origin'], () => parseSession(text.trim()));
  const span = wanted.span ?? 64;
  if (span % 16 !== 0) faults.add([...at, 'profile', 'span'], 'write a multiple of 16');
  const profile = faults.read([...at, 'profile'], () =>
    chooseProfile({
      mode: wanted.mode ?? 'sealed',
      closingTime: wanted.closingTime ?? 250,
      every: wanted.every,
      span: wanted.span,
    }),
  );
  const to =
    address &&
    faults.read([...at, 'keyPort'], () =>
      completeAddress({ ...address, keyPort: session.keyPort, interface: sender, ttl: session.ttl ?? 1 }),
    );
  const programme = planProgramme(session.programme ?? [], [...at, 'programme'], faults);
  if (to === undefined || profile === undefined || programme === undefined) return undefined;
  return {
    name: session.name,
    origin,
    source: session.source,
    format: format === 'auto' ? undefined : format,
    rate: session.rate,
    repeats: session.repeat === true,
    to,
    sources,
    profile,
    ...planKeys(keys, [...at, 'keys'], faults),
    programme,
  };
}

function planProgramme(
  entries: NonNullable<SessionDefinition['programme']>,
  at: FieldPath,
  faults: FaultList,
): readonly Programme[] | undefined {
  const before = faults.faults.length;
  const programme = entries.flatMap(({ title, from, to }, i) => {
    const start = readTime(from, [...at, i, 'from'], faults);
    const end = readTime(to, [...at, i, 'to'], faults);
    return start === undefined || end === undefined ? [] : [{ title, from: start, to: end }];
  });
  if (faults.faults.length > before) return undefined;
  for (const [i, { from, to }] of programme.entries()) {
    if (to <= from) faults.add([...at, i, 'to'], 'it is not after the start; correct one of the two');
    const previous = programme[i - 1];
    if (previous !== undefined && from < previous.to) {
      faults.add([...at, i, 'from'], 'the programme before it is not over; list them in order, without overlap');
    }
  }
  return faults.faults.length > before ? undefined : programme;
}

function readTime(text: string, at: FieldPath, faults: FaultList): number | undefined {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time) || time < 0) {
    faults.add(at, 'write a time with its zone, as in 2026-12-24T20:00:00Z');
    return undefined;
  }
  return Math.floor(time / 1000);
}

function requireDistinct(sessions: readonly SessionDefinition[], at: FieldPath, faults: FaultList): void {
  for (const [i, { name }] of sessions.entries()) {
    if (sessions.findIndex((one) => one.name === name) < i) {
      faults.add([...at, 'sessions', i, 'name'], 'another session of the service has this name; choose another');
    }
  }
}
