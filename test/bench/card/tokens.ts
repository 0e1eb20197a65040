import { fileURLToPath } from 'node:url';
import type { UnplugOutcome } from '../../support/tokens/charge-through-unplugs.ts';
import { hasQemu, runInGuest } from '../../support/tokens/qemu-guest.ts';
import type { Measurement } from '../figures.ts';
import { MeasurementError } from '../measurement-error.ts';

const GUEST = fileURLToPath(new URL('../../qemu/token-guest.ts', import.meta.url));
const TRIPS = 300;
const UNPLUGS = 100;
/** The demo's price. */
const MICRO_UNITS_PER_MB = 250_000n;

/** Tokens in a kernel of their own: round trips, groups, and pulls between a group and its answer. */
export async function measureTokens(): Promise<Measurement> {
  if (!hasQemu) throw new MeasurementError('there is no machine for tokens; type: scripts/setup qemu');
  const options = ['--steps', 'measure,unplug', '--trips', `${TRIPS}`, '--unplugs', `${UNPLUGS}`];
  const results = await runInGuest(GUEST, [...options, 'hid', 'usb']);
  return {
    how:
      `The soft module in an emulated token, in QEMU, whose processor is emulated too: uhid and node-hid, and dummy_hcd, ` +
      `FunctionFS and WebUSB's interface. ${TRIPS} commands each; DECODE at span 64 of free groups. Then ${UNPLUGS} pulls, ` +
      'after each of which the group whose answer was lost is asked for again; each group costs a micro-unit.',
    rows: ['hid', 'usb'].flatMap((transport) => {
      const speed = requireResult(results.get(`${transport} measure`)) as { roundTrips: number; decodes: number };
      const { answered, cutOff, spent, torn, wrong } = requireResult(
        results.get(`${transport} unplug`),
      ) as UnplugOutcome;
      return [
        { what: `${transport}: commands`, figure: speed.roundTrips, unit: 'round trips/s' },
        { what: `${transport}: DECODE of 64 octets`, figure: speed.decodes, unit: 'groups/s' },
        { what: `${transport}: groups opened, between ${cutOff} pulls`, figure: answered, unit: 'groups' },
        { what: `${transport}: of what was charged, torn`, figure: torn, unit: 'micro-units' },
        {
          what: `${transport}: charged for groups that were not opened, each at most once`,
          figure: spent - answered,
          unit: 'micro-units',
          goal: { atMost: cutOff },
        },
        {
          what: `${transport}: pulls after which the purse was wrong`,
          figure: wrong.length,
          unit: '',
          goal: { atMost: 0 },
        },
      ];
    }),
  };
}

/** The demo with `--card hid`: a blank card in a token becomes a subscriber's, and pays for what it opens. */
export async function measureTokenDemo(): Promise<Measurement> {
  if (!hasQemu) throw new MeasurementError('there is no machine for tokens; type: scripts/setup qemu');
  const results = await runInGuest(GUEST, ['--steps', 'playDemo', 'hid']);
  const demo = requireResult(results.get('hid playDemo')) as {
    sent: number;
    outcome: { octets?: number; charged?: number; complained?: string };
  };
  const { octets, charged, complained = '' } = demo.outcome;
  if (octets === undefined || charged === undefined) throw new MeasurementError(complained);
  const due = (BigInt(octets) * MICRO_UNITS_PER_MB + 999_999n) / 1_000_000n;
  return {
    how:
      'scripts/demo in QEMU with a blank card in a token of uhid, head-end and receiver on the same emulated processor; ' +
      'what comes too late for the card there is lost and not paid for.',
    rows: [
      { what: 'octets opened / sent', figure: octets / demo.sent, unit: '' },
      {
        what: 'charged above what was opened',
        figure: charged - Number(due),
        unit: 'micro-units',
        goal: { atMost: 0 },
      },
    ],
  };
}

/** @throws MeasurementError with what the guest says when a step of its has failed. */
function requireResult(result: unknown): unknown {
  const { failed } = (result ?? { failed: 'the machine was stopped before it' }) as { readonly failed?: string };
  if (failed !== undefined) throw new MeasurementError(failed);
  return result;
}
