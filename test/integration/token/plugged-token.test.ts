import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { countTally } from '../../support/tally.ts';
import type { UnplugOutcome } from '../../support/tokens/charge-through-unplugs.ts';
import { expectChargedOnce } from '../../support/tokens/expect-charged-once.ts';
import { hasQemu, runInGuest } from '../../support/tokens/qemu-guest.ts';

/** A minute on an emulated processor. */
const MAX_BOOT_MS = 400_000;
const GUEST = join(import.meta.dirname, '../../qemu/token-guest.ts');
const TOPICS = 'commands';
/** `npm run bench -- --only tokens` pulls 100 times. */
const UNPLUGS = 10;

describe.skipIf(!hasQemu)('tokens that a kernel takes for USB devices', () => {
  let results: Map<string, unknown>;

  beforeAll(async () => {
    const options = ['--topics', TOPICS, '--unplugs', `${UNPLUGS}`, '--trips', '50'];
    results = await runInGuest(GUEST, [...options, 'hid', 'usb']);
  }, MAX_BOOT_MS);

  describe.each(['hid', 'usb'] as const)('by %s', (transport) => {
    const resultOf = (step: string): unknown => results.get(`${transport} ${step}`);

    test('are found by what they say they are, one or two at once, by serial number', () => {
      expect(resultOf('findTokens')).toEqual({
        none: 'NO_TOKEN',
        answers: ['3b80800101', '6a82'],
        listed: [`${transport}:A1 Tollcast token`, `${transport}:B2 Tollcast token`],
        several: 'SEVERAL_TOKENS',
        unknown: 'NO_TOKEN',
        both: ['6a82', '6a82', '6a82', '6a82'],
        modules: ['blank', 'blank'],
      });
    });

    test('that this user may not open come with the rules that are missing and what to type', () => {
      const refused = resultOf('refuseAccess');
      expect(refused).toMatchObject({ code: `${transport.toUpperCase()}_DENIED` });
      expect(JSON.stringify(refused)).toContain('KERNELS==\\"*:1209:0001.*\\"');
      expect(JSON.stringify(refused)).toContain('ATTR{idVendor}==\\"1209\\"');
      expect(JSON.stringify(refused)).toContain('sudo udevadm control --reload');
    });

    test('are waited for, and used again when they come back', () => {
      expect(resultOf('waitForToken')).toEqual({
        reasons: ['NO_TOKEN'],
        life: 'blank',
        afterwards: 'CARD_GONE',
        lifeAgain: 'blank',
      });
    });

    test('end the waiting of card list', () => {
      expect(resultOf('waitForList')).toEqual([[`${transport}:A1`, 'blank']]);
    });

    test('pulled between a group and its answer leave no command without an end, and charge once', () => {
      expectChargedOnce(resultOf('unplug') as UnplugOutcome, UNPLUGS);
    });

    test('open groups', () => {
      const { roundTrips, decodes } = resultOf('measure') as { roundTrips: number; decodes: number };
      expect(roundTrips).toBeGreaterThan(0);
      expect(decodes).toBeGreaterThan(0);
    });

    test('answer the conformance vectors', () => {
      const { passed } = resultOf('replay') as { passed: number };
      expect(passed).toBeGreaterThan(15);
      countTally('conformance', `soft, in a token by ${transport}`, passed, 'cases');
    });
  });

  test('by USB are one program’s at a time', () => {
    expect(results.get('usb openTwice')).toEqual({ second: 'CARD_IN_USE', first: '6a82', afterwards: '6a82' });
  });
});
