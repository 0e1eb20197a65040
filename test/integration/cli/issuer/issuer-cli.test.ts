import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { CARD_KEYS, type CardKeyName, deriveCardKey, MASTERS } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { type CardKind, type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { KeyStore } from '../../../../host/issuer/keys/key-store.ts';
import { openCard } from '../../../../host/transport/card/card-address.ts';
import { watch } from '../../../support/issuer-fixture.ts';
import { type CliRun, runTollcast } from '../../../support/tollcast-cli.ts';

const PASSPHRASE = 'a passphrase for this test alone';

let directory: string;
/** All that was ever printed. */
let printed: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-cli-'));
  printed = '';
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function tollcast(args: readonly string[], passphrase: string | undefined = PASSPHRASE): Promise<CliRun> {
  const { TOLLCAST_PASSPHRASE: _, ...env } = process.env;
  if (passphrase !== '') env['TOLLCAST_PASSPHRASE'] = passphrase;
  const run = await runTollcast(args, { cwd: directory, env });
  printed += run.stdout + run.stderr;
  return run;
}

/** Runs what must work; one line of JSON. */
async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await tollcast([...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.split('\n')).toHaveLength(2);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Runs what must not work: nothing on stdout, one line on stderr; status 2 is for what was typed wrong. */
async function expectFailure(
  status: number,
  message: RegExp,
  args: readonly string[],
  passphrase = PASSPHRASE,
): Promise<void> {
  const { code, stdout, stderr } = await tollcast(args, passphrase);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(message);
  expect(stdout).toBe('');
  expect(code).toBe(status);
}

/** No key of the store or of the card stands in anything that was printed, in no spelling; nor does the passphrase. */
async function expectNothingSecret(cardId: Uint8Array): Promise<void> {
  const store = new KeyStore(join(directory, '.tollcast/issuer'), async () => PASSPHRASE);
  const masters = Object.fromEntries(
    await Promise.all(MASTERS.map(async (name) => [name, await store.open(name)] as const)),
  );
  const names = Object.keys(CARD_KEYS) as CardKeyName[];
  const keys = [
    ...Object.values(masters),
    ...names.map((name) => deriveCardKey(masters[CARD_KEYS[name]]!, name, cardId)),
  ];
  expect(keys).toHaveLength(MASTERS.length + names.length);
  expect(printed.length).toBeGreaterThan(1000);
  const squeezed = printed.toLowerCase().replaceAll(/[^0-9a-f]/g, '');
  for (const key of keys) {
    const octets = Buffer.from(key);
    // Half a key is too much already.
    expect(squeezed.includes(octets.toString('hex').slice(0, 16))).toBe(false);
    expect(squeezed.includes(octets.toString('hex').slice(16))).toBe(false);
    expect(printed.includes(octets.toString('base64').slice(0, 12))).toBe(false);
    expect(printed.includes([...key].slice(0, 8).join(','))).toBe(false);
  }
  expect(printed.includes(PASSPHRASE)).toBe(false);
}

// The test runs a dozen programs one after the other.
describe.each<CardKind>(['soft', 'jcardsim', 'pcsc'])('on %s', { timeout: 120_000 }, (kind) => {
  let card: SimulatedCard | undefined;
  let address: string;

  beforeEach(async () => {
    // A soft module is in its file: every process that opens it is its reader.
    card = kind === 'soft' ? undefined : await startCard({ kind });
    address = card?.address ?? `soft:${join(directory, 'card')}`;
  });

  afterEach(() => card?.close());

  test('init, personalise, load, watch, collect, show', async () => {
    const at = ['--card', address];
    expect(await json('issuer', 'init', '--id', '0A1B2C')).toEqual({ store: '.tollcast/issuer', issuer: '0a1b2c' });
    if (kind !== 'soft') {
      expect(await json('issuer', 'show', ...at)).toMatchObject({ card: '000000-00-00000000', life: 'blank' });
    }
    const made = await json('issuer', 'personalise', ...at, '--serial', '7', '--max-balance', '50');
    const id = kind === 'soft' ? '0a1b2c-02-00000007' : '0a1b2c-01-00000007';
    expect(made).toEqual({
      card: id,
      class: kind === 'soft' ? 'soft' : 'card',
      currency: 'USD',
      maximumBalance: 50_000_000,
    });
    expect(await json('issuer', 'load', ...at, '--amount', '10 USD')).toMatchObject({
      amount: 10_000_000,
      balance: 10_000_000,
    });
    // A soft module is trusted with little.
    const most = kind === 'soft' ? /at most 0\.00 USD more/ : /at most 40\.00 USD more/;
    await expectFailure(6, most, ['issuer', 'load', ...at, '--amount', '40.01 USD']);

    const channel = await openCard(address, { wait: true, signal: AbortSignal.timeout(10_000) });
    const store = new KeyStore(join(directory, '.tollcast/issuer'), async () => PASSPHRASE);
    await watch(new DecodeModule(channel), await store.open('unique'), parseCardId(id), [1_000_000, 500_000]);
    await new DecodeModule(channel).closeSession();
    await channel.close();

    expect(await json('issuer', 'show', ...at)).toMatchObject({
      card: id,
      balance: 9_625_000,
      spent: 375_000,
      receiptsDue: 1,
    });
    expect(await json('issuer', 'collect', ...at)).toMatchObject({
      amount: 375_000,
      receipts: [{ number: 1, octets: 1_500_000, amount: 375_000, torn: 0, reason: 'closed' }],
    });
    expect(await json('issuer', 'show', ...at)).toMatchObject({
      receiptsDue: 0,
      receiptsKept: 1,
      receiptsAmount: 375_000,
    });
    const { stdout } = await tollcast(['issuer', 'show', ...at]);
    expect(stdout).toContain('balance   9.625 USD of at most 50.00 USD\n');
    await expectNothingSecret(parseCardId(id));
  });
});

describe('says in one line what to do', { timeout: 120_000 }, () => {
  const CARD = ['--card', 'soft:card'];

  test('without a store, a passphrase, or a card', async () => {
    await expectFailure(1, /no issuer store in \.tollcast\/issuer; type: tollcast issuer init/, [
      'issuer',
      'personalise',
      ...CARD,
    ]);
    await expectFailure(2, /TOLLCAST_PASSPHRASE/, ['issuer', 'init'], '');
    await expectFailure(2, /8 characters/, ['issuer', 'init'], 'short');
    await expectFailure(2, /six hexadecimal digits/, ['issuer', 'init', '--id', '12345']);
    await expectFailure(2, /not all zero/, ['issuer', 'init', '--id', '000000']);
    await json('issuer', 'init');
    await expectFailure(1, /is there already and is kept/, ['issuer', 'init']);
    await expectFailure(2, /TOLLCAST_PASSPHRASE/, ['issuer', 'personalise', ...CARD], '');
    await expectFailure(3, /no card answers/, ['issuer', 'personalise', '--card', 'tcp:127.0.0.1:1']);
  });

  test('with a card that does not fit', async () => {
    await json('issuer', 'init');
    await expectFailure(
      3,
      /no soft card card; check the name, or make one: tollcast issuer personalise --card soft:card/,
      ['issuer', 'load', ...CARD, '--amount', '1 USD'],
    );
    await expectFailure(6, /is blank; type: tollcast issuer personalise/, ['issuer', 'collect', '--card', 'soft']);
    await expectFailure(1, /does not open the unique master/, ['issuer', 'personalise', ...CARD], 'another passphrase');
    const { card } = await json('issuer', 'personalise', ...CARD);
    await expectFailure(6, /is personalised already/, ['issuer', 'personalise', ...CARD]);
    await expectFailure(
      1,
      /does not open the load master/,
      ['issuer', 'load', ...CARD, '--amount', '1 USD'],
      'another passphrase',
    );
    await expectFailure(2, /holds USD, not EUR; write the amount in USD/, [
      'issuer',
      'load',
      ...CARD,
      '--amount',
      '1 EUR',
    ]);
    await expectFailure(
      6,
      /at most 10\.00 USD more, as a soft module is trusted with 10\.00 USD in all; name less, or trust it with more by --soft-limit/,
      ['issuer', 'load', ...CARD, '--amount', '10.000001 USD'],
    );
    const trusted = ['--amount', '500.000001 USD', '--soft-limit', '1000'];
    await expectFailure(6, /at most 500\.00 USD more; name less\n$/, ['issuer', 'load', ...CARD, ...trusted]);
    await json('issuer', 'init', '--store', 'other');
    await expectFailure(1, /is of another issuer/, [
      'issuer',
      'load',
      ...CARD,
      '--store',
      'other',
      '--amount',
      '1 USD',
    ]);
    expect(await json('issuer', 'show', ...CARD, '--store', 'other')).toMatchObject({ card, issued: null });
    await expectNothingSecret(parseCardId(String(card)));
  });

  test.each([
    [/"10" is not an amount/, ['load', '--amount', '10']],
    [/is not a currency of ISO 4217/, ['load', '--amount', '10 ABC']],
    [/at most 6/, ['load', '--amount', '0.0000001 USD']],
    [/at most 549755\.813887 USD/, ['load', '--amount', '549755.813888 USD']],
    [/at most 549755\.813887 USD/, ['personalise', '--max-balance', '549755.813888']],
    [/at least 0\.000001 USD/, ['personalise', '--max-balance', '0']],
    [/from 0 to 4294967295/, ['personalise', '--serial', '4294967296']],
    [/from 0 to 4294967295/, ['personalise', '--serial', '-1']],
    [/passphrase/, ['load', '--amount', '1 USD', '--passphrase', 'x']],
  ])('with a value that does not fit: %s', async (message, args) => {
    await expectFailure(2, message, ['issuer', ...args, ...CARD]);
  });
});
