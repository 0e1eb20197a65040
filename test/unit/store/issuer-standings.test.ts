import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { toHex } from '../../../apdu/octets.ts';
import { Accounts } from '../../../host/issuer/cards/accounts.ts';
import { IssuerStandings } from '../../../host/store/issuer-standings.ts';
import { ACCOUNTS_FILE } from '../../../host/store/issuer-store.ts';

const ISSUER = 0x0a1b2c;
const CARD = { moduleClass: 'soft', serial: 1, currency: 840, maximumBalance: 1_000_000n } as const;

test('cards are good, unknown or blocked as the accounts say at that moment, and nobody waits for who writes', async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'tollcast-standings-'));
  stack.defer(() => rm(directory, { recursive: true }));
  await Accounts.create(directory, ISSUER);
  const accounts = stack.use(await Accounts.open(directory));
  const standings = stack.use(IssuerStandings.open(directory));
  const stranger = toHex(encodeCardId({ issuer: ISSUER, moduleClass: 'card', serial: 1 }));
  // Without any account, as with nothing but masters, the card's signature says enough.
  expect(standings.standingOf(stranger)).toBe('good');

  const cardId = await accounts.addCard(CARD, 1_700_000_000);
  expect([standings.standingOf(toHex(cardId)), standings.standingOf(stranger)]).toEqual(['good', 'unknown']);
  {
    using other = new DatabaseSync(join(directory, ACCOUNTS_FILE));
    other.exec('begin exclusive');
    expect(standings.standingOf(toHex(cardId))).toBe('unavailable');
    other.exec('rollback');
  }
  expect(standings.standingOf(toHex(cardId))).toBe('good');
  await accounts.withdraw(cardId);
  expect(standings.standingOf(toHex(cardId))).toBe('blocked');
});
