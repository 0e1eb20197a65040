import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { hasQemu, runInGuest } from '../../support/cards/qemu-guest.ts';
import { countTally } from '../../support/tally.ts';

/** A minute on an emulated processor; with all topics it is three. */
const MAX_BOOT_MS = 400_000;
const GUEST = join(import.meta.dirname, '../../qemu/hid-guest.ts');
const TOPICS = 'commands,torn-sessions';

describe.skipIf(!hasQemu)('tokens that a kernel takes for USB devices, through node-hid', () => {
  let results: Map<string, unknown>;

  beforeAll(async () => {
    results = await runInGuest(GUEST, ['soft', TOPICS]);
  }, MAX_BOOT_MS);

  test('are found by their usage, one or two at once, by serial number', () => {
    expect(results.get('findTokens')).toEqual({
      none: 'NO_TOKEN',
      answers: ['3b80800101', '6a82'],
      listed: ['A1 Tollcast token', 'B2 Tollcast token'],
      several: 'SEVERAL_TOKENS',
      unknown: 'NO_TOKEN',
      both: ['6a82', '6a82', '6a82', '6a82'],
      modules: ['blank', 'blank'],
    });
  });

  test('that this user may not open come with the rule that is missing and what to type', () => {
    const refused = results.get('refuseAccess');
    expect(refused).toMatchObject({ code: 'HID_DENIED' });
    expect(JSON.stringify(refused)).toContain('KERNELS==\\"*:1209:0001.*\\"');
    expect(JSON.stringify(refused)).toContain('sudo udevadm control --reload');
  });

  test('are waited for, and used again when they come back', () => {
    expect(results.get('waitForToken')).toEqual({
      reasons: ['NO_TOKEN'],
      life: 'blank',
      afterwards: 'CARD_GONE',
      lifeAgain: 'blank',
    });
  });

  test('pulled 100 times in mid-command leave no command without an end', () => {
    const { answered, gone, other } = results.get('unplug') as { answered: number; gone: number; other: string[] };
    expect(other).toEqual([]);
    expect(answered + gone).toBe(300);
    expect(gone).toBeGreaterThan(0);
  });

  test('answer the conformance vectors', () => {
    const { passed } = results.get('replay') as { passed: number };
    expect(passed).toBeGreaterThan(20);
    countTally('conformance', 'soft, in a HID token', passed, 'cases');
  });
});
