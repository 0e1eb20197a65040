import type { ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { currencyByCode } from '../../money/currency.ts';
import { JsonObject, parseJsonObject, readPattern, trouble } from '../json-object.ts';
import { formatSession, parseSession } from '../session/session-identity.ts';
import type { HeadEndAddress, Offer, PriceComponent, SessionAddress, SlotGrid } from './offer.ts';

/** Octets of an offer's text. */
export const MAX_OFFER_TEXT = 8192;

const MAX_U24 = 2 ** 24 - 1;
const MAX_U32 = 2 ** 32 - 1;
const MAX_PRICE = 2n ** 32n - 1n;
/** Seconds: a request interval, a join and a keep-alive are no longer than a year. */
const MAX_LENGTH = 366 * 86_400;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const HTTPS = /^https:\/\/[\w.:[\]-]{1,200}(?:\/[\w./-]{0,100})?$/;
const SHA256 = /^[0-9a-f]{64}$/;
const CLASSES: readonly ModuleClass[] = ['card', 'soft'];

/**
 * Writes an offer as JSON in UTF-8. Whoever signs it keeps these octets: the same offer written anew may differ.
 * @throws FormatError when a field is outside its range, or the text is too long.
 */
export function encodeOfferText(offer: Offer): Uint8Array {
  const { session, components, currency, ceilings, ...rest } = offer;
  const text = JSON.stringify({
    tollcast: 'offer',
    version: 1,
    ...rest,
    session: formatSession(session),
    components: components.map((component) => ({ ...component, price: component.price.toString() })),
    ...(currency !== undefined && { currency: currency.code }),
    ceilings: {
      perMegabyte: ceilings.perMegabyte.toString(),
      perHour: ceilings.perHour.toString(),
      flat: ceilings.flat.toString(),
      groupOctets: ceilings.groupOctets,
      groupDuration: ceilings.groupDuration,
      quantum: ceilings.quantum.toString(),
    },
  });
  const octets = new TextEncoder().encode(text);
  parseOfferText(octets);
  return octets;
}

/**
 * Reads an offer. It says nothing of who wrote it: see `verifyOffer`.
 * @throws FormatError when it is not an offer of this version, or a field is outside its range or unknown.
 */
export function parseOfferText(octets: Uint8Array): Offer {
  const json = parseJsonObject('offer', octets, MAX_OFFER_TEXT);
  json.oneOf('tollcast', ['offer']);
  json.number('version', 1, 1);
  const components = json.list('components', 1, 2, readComponent);
  if (components.length === 2 && components[0]!.part === components[1]!.part) {
    throw trouble('offer.components', 'has the same part twice');
  }
  const from = json.number('from', 0, MAX_U32 - 1);
  const offer: Offer = {
    name: json.text('name', 100),
    session: parseSession(json.text('session', 200)),
    service: json.number('service', 1, MAX_U32),
    components,
    ...(json.has('currency') && { currency: currencyByCode(json.pattern('currency', /^[A-Z]{3}$/, 'a currency')) }),
    ceilings: readCeilings(json.object('ceilings')),
    ...(json.has('slots') && { slots: readSlots(json.object('slots')) }),
    requestInterval: json.number('requestInterval', 1, MAX_LENGTH),
    joinLength: json.number('joinLength', 1, MAX_LENGTH),
    ...(json.has('keepAlive') && { keepAlive: json.number('keepAlive', 1, MAX_LENGTH) }),
    rating: json.number('rating', 0, 255),
    suites: json.list('suites', 1, 8, readSuite),
    classes: json.list('classes', 1, 2, readClass),
    ...(json.has('node') && { node: json.text('node', 100) }),
    headEnds: json.list('headEnds', 0, 4, readHeadEnd),
    address: readAddress(json.object('address')),
    from,
    to: json.number('to', from + 1, MAX_U32),
  };
  if (offer.currency === undefined && components.some(({ price }) => price > 0n)) {
    throw trouble('offer.currency', 'is missing beside a price');
  }
  json.end();
  return offer;
}

function readComponent(value: unknown, path: string): PriceComponent {
  const json = new JsonObject(path, value);
  const basis = json.oneOf('basis', ['free', 'octets', 'duration', 'programme', 'period']);
  const component: PriceComponent = {
    part: json.oneOf('part', ['content', 'delivery']),
    payer: json.oneOf('payer', ['user', 'provider']),
    basis,
    settlement: json.oneOf('settlement', ['purse', 'invoice']),
    price: json.amount('price', basis === 'free' ? 0n : MAX_PRICE),
    ...(basis === 'period' && { period: json.number('period', 1, MAX_LENGTH) }),
  };
  json.end();
  return component;
}

function readCeilings(json: JsonObject): Offer['ceilings'] {
  const ceilings = {
    perMegabyte: json.amount('perMegabyte', MAX_PRICE),
    perHour: json.amount('perHour', MAX_PRICE),
    flat: json.amount('flat', MAX_PRICE),
    groupOctets: json.number('groupOctets', 0, MAX_U24),
    groupDuration: json.number('groupDuration', 0, MAX_U24),
    quantum: json.amount('quantum', MAX_MONEY),
  };
  json.end();
  return ceilings;
}

function readSlots(json: JsonObject): SlotGrid {
  const length = json.number('length', 1, MAX_LENGTH);
  const slots = {
    start: json.number('start', 0, MAX_U32),
    length,
    offset: json.number('offset', 0, length - 1),
  };
  json.end();
  return slots;
}

function readHeadEnd(value: unknown, path: string): HeadEndAddress {
  const json = new JsonObject(path, value);
  const headEnd = {
    url: json.pattern('url', HTTPS, 'an https URL'),
    tlsKey: json.pattern('tlsKey', SHA256, 'a SHA-256 of 64 small hexadecimal digits'),
  };
  json.end();
  return headEnd;
}

function readAddress(json: JsonObject): SessionAddress {
  const address = {
    address: json.pattern('address', IPV4, 'an IPv4 address'),
    port: json.number('port', 1, 65_535),
    keyPort: json.number('keyPort', 1, 65_535),
    sources: json.list('sources', 0, 8, (value, path) => readPattern(value, path, IPV4, 'an IPv4 address')),
  };
  json.end();
  return address;
}

function readSuite(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 255) {
    throw trouble(path, 'is not the number of a suite');
  }
  return value;
}

function readClass(value: unknown, path: string): ModuleClass {
  const found = CLASSES.find((name) => name === value);
  if (found === undefined) throw trouble(path, `is not one of ${CLASSES.join(', ')}`);
  return found;
}
