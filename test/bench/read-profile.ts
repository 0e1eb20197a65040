import { type CardProfile, isChipName } from '../../host/card-bench/card-profile.ts';
import type { RoundTrips, Undone } from '../../host/card-bench/card-speed.ts';

type Fields = Readonly<Record<string, unknown>>;

const HEX = /^([0-9a-f]{2})*$/;
const CODE = /^[A-Z][A-Z0-9_]*$/;
const VERSION = /^\d+\.\d+\.\d+[\w.-]*$/;
const LIFE = /^(blank|personalised|active|blocked|terminated)$/;
const TRANSPORT = /^(pcsc|tcp|soft)$/;

/**
 * Reads a profile that `tollcast card bench --profile` wrote. It comes from others, and goes into a page: all that it
 * has is looked at.
 * @throws Error naming the field that is not as the command writes it.
 */
export function readProfile(value: unknown): CardProfile {
  const from = fieldsOf(value, 'the profile');
  if (from['profile'] !== 1) throw new Error('profile is not 1; measure with this version of Tollcast');
  const name = textOf(from, 'name', /^/);
  if (!isChipName(name)) throw new Error(`name is not a name of a chip: ${JSON.stringify(name)}`);
  return {
    profile: 1,
    name,
    transport: textOf(from, 'transport', TRANSPORT),
    tollcast: textOf(from, 'tollcast', VERSION),
    atr: textOf(from, 'atr', HEX),
    life: textOf(from, 'life', LIFE),
    version: numberOf(from, 'version'),
    capabilities: textOf(from, 'capabilities', HEX),
    maxSpan: numberOf(from, 'maxSpan'),
    maxCommandData: numberOf(from, 'maxCommandData'),
    roundTrip: roundTripsOf(from['roundTrip'], 'roundTrip'),
    startLoad: roundTripsOrNull(from, 'startLoad'),
    loadKey: roundTripsOrNull(from, 'loadKey'),
    decode: listOf(from, 'decode').map((one) => ({
      span: numberOf(fieldsOf(one, 'decode'), 'span'),
      ...roundTripsOf(one, 'decode'),
    })),
    take: roundTripsOrNull(from, 'take'),
    undone: listOf(from, 'undone').map(undoneOf),
  };
}

function undoneOf(value: unknown): Undone {
  const from = fieldsOf(value, 'undone');
  return { what: textOf(from, 'what', /^/), code: textOf(from, 'code', CODE), why: textOf(from, 'why', /^/) };
}

function roundTripsOrNull(from: Fields, name: string): RoundTrips | null {
  return from[name] === null ? null : roundTripsOf(from[name], name);
}

function roundTripsOf(value: unknown, name: string): RoundTrips {
  const from = fieldsOf(value, name);
  return {
    perSecond: numberOf(from, 'perSecond'),
    median: numberOf(from, 'median'),
    slowest: numberOf(from, 'slowest'),
  };
}

function fieldsOf(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null) throw new Error(`${name} is not an object`);
  return value as Fields;
}

function listOf(from: Fields, name: string): readonly unknown[] {
  const value = from[name];
  if (!Array.isArray(value)) throw new Error(`${name} is not a list`);
  return value;
}

function textOf(from: Fields, name: string, pattern: RegExp): string {
  const value = from[name];
  if (typeof value !== 'string' || !pattern.test(value)) throw new Error(`${name} is not as the bench writes it`);
  return value;
}

function numberOf(from: Fields, name: string): number {
  const value = from[name];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new Error(`${name} is not a number`);
  return value;
}
