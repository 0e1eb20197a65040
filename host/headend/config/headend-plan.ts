import { isIPv4 } from 'node:net';
import { InputError } from '../../../apdu/errors.ts';
import { DEFAULT_SAP_ADDRESS, SAP_PORT } from '../../contract/announcement/sap-packet.ts';
import type { TaxRule } from '../billing/invoices/tax-rule.ts';
import { SHIPPED_SCHEMES } from '../charging/schemes/known-schemes.ts';
import type { FaultList } from './config-fault.ts';
import type { HeadendDefinition } from './config-schema.ts';
import type { SchemeFile } from './plan-schemes.ts';
import { planService, type ServicePlan } from './service-plan.ts';

/** Where a head-end listens, keeps its state, and what it announces and sells. */
export interface HeadendPlan {
  readonly listen: { readonly address: string; readonly port: number };
  /** How receivers reach the API; undefined: by what it listens on. */
  readonly url: string | undefined;
  readonly state: string;
  readonly issuer: string;
  /** u24; undefined: as the accounts of the issuer store say. */
  readonly issuerNumber: number | undefined;
  /** Seconds of the period. */
  readonly charging: { readonly mode: 'forward' | 'transfer' | 'direct'; readonly period: number };
  /** Whether cards are loaded over the API. */
  readonly loads: boolean;
  readonly tls: { readonly key: string; readonly certificate: string } | undefined;
  readonly signing: { readonly id: number; readonly key: string | undefined };
  /** The static private key of P-256; made at the first start when undefined. */
  readonly pairKey: string | undefined;
  readonly announce: {
    readonly address: string;
    readonly port: number;
    readonly interface: string;
    /** Seconds. */
    readonly interval: number;
  };
  /** Who sends invoices, and the taxes that prices contain. */
  readonly invoices: { readonly from: string; readonly tax: readonly TaxRule[] };
  /** Days for which the sender's journal is kept before the end of a month that is closed. */
  readonly journalDays: number;
  /** Charging schemes of the operator's own, which are loaded at the start. */
  readonly schemes: readonly SchemeFile[];
  readonly log: 'debug' | 'info' | 'warn' | 'error';
  readonly services: readonly ServicePlan[];
}

const DEFAULT_STATE = '.tollcast/headend';
const DEFAULT_ISSUER = '.tollcast/issuer';
/** More than a year. */
const DEFAULT_JOURNAL_DAYS = 400;

/** Reads what the configuration says. @returns undefined when it cannot be used; the list says why then. */
export function planHeadend(definition: HeadendDefinition, faults: FaultList): HeadendPlan | undefined {
  const { url, announce = {}, services } = definition;
  const { issuerNumber: digits } = definition;
  const issuerNumber = digits === undefined ? undefined : Number.parseInt(digits, 16);
  if (digits !== undefined && (!/^[0-9a-f]{6}$/i.test(digits) || issuerNumber === 0)) {
    faults.add(['issuerNumber'], 'write six hexadecimal digits, not all zero, as in "0a1b2c"');
  }
  const listen = faults.read(['listen'], () => parseListen(definition.listen ?? '127.0.0.1:8443'));
  if (url !== undefined && !/^https:\/\/[^\s/?#]+\/?$/.test(url)) {
    faults.add(['url'], 'write https:// and a host, as in https://tv.example:8443');
  }
  for (const name of ['address', 'interface'] as const) {
    const value = announce[name];
    if (value !== undefined && !isIPv4(value)) faults.add(['announce', name], 'write an IPv4 address');
  }
  const schemes = Object.entries(definition.schemes ?? {}).map(([name, { file, function: functionName }]) => {
    if (SHIPPED_SCHEMES.has(name))
      faults.add(['schemes', name], 'a scheme that is shipped has this name; choose another');
    return { name, file, functionName };
  });
  const names = schemes.map(({ name }) => name);
  const plans = services.map((service, i) => planService(service, ['services', i], faults, names));
  requireDistinct(definition, faults);
  for (const [i, { name }] of (definition.invoices?.tax ?? []).entries()) {
    if (definition.invoices?.tax?.findIndex((rule) => rule.name === name) !== i) {
      faults.add(['invoices', 'tax', i, 'name'], 'another tax has this name; choose another');
    }
  }
  if (listen === undefined || plans.some((plan) => plan === undefined)) return undefined;
  return {
    listen,
    url: url?.replace(/\/$/, ''),
    state: definition.state ?? DEFAULT_STATE,
    issuer: definition.issuer ?? DEFAULT_ISSUER,
    issuerNumber,
    charging: { mode: definition.charging?.mode ?? 'forward', period: definition.charging?.period ?? 300 },
    loads: definition.loads ?? false,
    tls: definition.tls,
    signing: { id: definition.signing?.id ?? 1, key: definition.signing?.key },
    pairKey: definition.pairKey,
    announce: {
      address: announce.address ?? DEFAULT_SAP_ADDRESS,
      port: SAP_PORT,
      interface: announce.interface ?? '127.0.0.1',
      interval: announce.interval ?? 5,
    },
    invoices: { from: definition.invoices?.from ?? '', tax: definition.invoices?.tax ?? [] },
    journalDays: definition.journal?.keep ?? DEFAULT_JOURNAL_DAYS,
    schemes,
    log: definition.log ?? 'info',
    services: plans.filter((plan) => plan !== undefined),
  };
}

function parseListen(text: string): { address: string; port: number } {
  const [, address = '', digits = ''] = /^([\d.]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!isIPv4(address) || digits === '' || port > 65_535) {
    throw new InputError('write an IPv4 address of this machine and a port, as in 0.0.0.0:8443');
  }
  return { address, port };
}

/** Numbers of services, origins and addresses of sessions are each there once. */
function requireDistinct({ services }: HeadendDefinition, faults: FaultList): void {
  const numbers = new Set<number>();
  const origins = new Set<string>();
  const addresses = new Set<string>();
  for (const [i, { number, sessions }] of services.entries()) {
    if (numbers.has(number)) faults.add(['services', i, 'number'], 'another service has this number; correct one');
    numbers.add(number);
    for (const [j, { origin, address }] of sessions.entries()) {
      const at = ['services', i, 'sessions', j];
      const identity = origin?.trim().split(/\s+/).join(' ');
      if (identity !== undefined && origins.has(identity)) {
        faults.add([...at, 'origin'], 'another session has this origin; every session has its own');
      }
      if (identity !== undefined) origins.add(identity);
      if (addresses.has(address)) faults.add([...at, 'address'], 'another session is sent there; choose another port');
      addresses.add(address);
    }
  }
}
