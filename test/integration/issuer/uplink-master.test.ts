import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { openRequest } from '../../../apdu/decode-module/requests/signed-request.ts';
import { toHex } from '../../../apdu/octets.ts';
import { CardAuthentication } from '../../../host/headend/requests/card-authentication.ts';
import { KeyStore } from '../../../host/issuer/keys/key-store.ts';
import { openUplinkKeys } from '../../../host/issuer/keys/uplink-keys.ts';
import { expectRefusal, ISSUER, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';
import { makeCardMemory, PASSPHRASE } from '../../support/issuer-fixture.ts';

const REQUEST = {
  service: 5,
  from: 1_800_000_000,
  to: 1_800_003_600,
  requestId: new Uint8Array(8).fill(7),
  sessionHash: new Uint8Array(20).fill(9),
};

let desk: IssuerDesk;

beforeEach(async () => {
  desk = await IssuerDesk.open();
  return () => desk.close();
});

/** Changes the accounts behind the back of the program, as another version of it would. */
async function changeAccounts(sql: string): Promise<void> {
  await desk.accounts.close();
  const database = new DatabaseSync(join(desk.issuer.store, 'accounts.sqlite'));
  database.exec(sql);
  database.close();
  await desk.reopenAccounts();
}

/** Makes the store one of a version that had no uplink master. */
async function ageStore(): Promise<void> {
  await changeAccounts("ALTER TABLE card DROP COLUMN uplink_master; DELETE FROM kysely_migration WHERE name >= '0006'");
  await rm(join(desk.issuer.store, 'uplink.key'), { force: true });
}

/** Makes a card that was begun before there was an uplink master, and so has the key that such cards have. */
async function makeOlderCard(): Promise<Uint8Array> {
  desk.insertMemory(makeCardMemory());
  desk.channel.fail(INS.STORE_DATA, 'command lost', 1);
  await expectRefusal(desk.makeCard(), 'CARD_GONE');
  await ageStore();
  return desk.makeCard();
}

function openMaster(name: 'unique' | 'uplink'): Promise<Uint8Array> {
  return new KeyStore(desk.issuer.store, async () => PASSPHRASE).open(name);
}

function openKeys() {
  return openUplinkKeys(desk.issuer.store, new KeyStore(desk.issuer.store, async () => PASSPHRASE));
}

test('a new card signs with a key of the uplink master, which tells nothing of its downlink key', async () => {
  desk.insertMemory(makeCardMemory());
  const cardId = await desk.makeCard();
  const request = await desk.module.signRequest('join', REQUEST);
  const uplink = deriveCardKey(await openMaster('uplink'), 'uplink', cardId);
  expect(openRequest(request, uplink)).toMatchObject({ kind: 'join', service: 5 });
  expect(() => openRequest(request, new Uint8Array(16))).toThrow();
  expect(await desk.accounts.card(cardId)).toMatchObject({ uplinkMaster: 'uplink' });
  // All else works as before.
  expect((await desk.load(5n * UNIT)).balance).toBe(5n * UNIT);
  await desk.watchAndClose(1);
  expect((await desk.collect()).receipts).toHaveLength(1);
});

test('a store of before gets an uplink master with its next card; the cards that it made keep their keys', async () => {
  const older = await makeOlderCard();
  const signed = await desk.module.signRequest('stay', REQUEST);
  expect(openRequest(signed, deriveCardKey(await openMaster('unique'), 'uplink', older)).kind).toBe('stay');
  await ageStore();
  expect(await desk.accounts.card(older)).toMatchObject({ uplinkMaster: 'unique' });
  await expectRefusal(openMaster('uplink'), 'NO_MASTER');
  expect((await desk.load(5n * UNIT)).balance).toBe(5n * UNIT);

  desk.insertMemory(makeCardMemory());
  const newer = await desk.makeCard();
  expect(await desk.accounts.card(newer)).toMatchObject({ uplinkMaster: 'uplink' });
  const request = await desk.module.signRequest('leave', REQUEST);
  expect(await readdir(desk.issuer.store)).not.toContain('uplink.key.new');

  const { master, older: olderKeys } = await openKeys();
  expect([...olderKeys.keys()]).toEqual([toHex(older)]);
  const authentication = new CardAuthentication(new Map([[ISSUER, master]]), olderKeys);
  expect(authentication.open(signed)).toMatchObject({ what: 'request', request: { kind: 'stay', cardId: older } });
  expect(authentication.open(request)).toMatchObject({ what: 'request', request: { kind: 'leave', cardId: newer } });
  expect(new CardAuthentication(new Map([[ISSUER, master]])).open(signed)).toBe('wrong-signature');
});

test('an uplink master that was lost is not made anew while cards have keys of it', async () => {
  desk.insertMemory(makeCardMemory());
  await desk.makeCard();
  await rm(join(desk.issuer.store, 'uplink.key'));
  desk.insertMemory(makeCardMemory());
  expect(await expectRefusal(desk.makeCard(), 'NO_MASTER')).toContain('no uplink master');
  expect(await expectRefusal(openKeys(), 'NO_MASTER')).toContain('no uplink master');
});

test('a wrong passphrase makes no master', async () => {
  await ageStore();
  const keys = new KeyStore(desk.issuer.store, async () => 'not the passphrase');
  desk.insertMemory(makeCardMemory());
  await expectRefusal(desk.makeCard({ from: { ...desk.issuer, keys } }), 'WRONG_PASSPHRASE');
  expect(await readdir(desk.issuer.store)).not.toContain('uplink.key');
});

test('two that make the first new card at once make one master', async () => {
  await ageStore();
  const keys = await Promise.all([openKeys(), openKeys(), openKeys()]);
  expect(new Set(keys.map(({ master }) => toHex(master))).size).toBe(1);
});

test('who answers requests needs the uplink master alone', async () => {
  const master = await openMaster('uplink');
  for (const file of await readdir(desk.issuer.store)) {
    if (file !== 'uplink.key') await rm(join(desk.issuer.store, file));
  }
  expect(await openKeys()).toEqual({ master, older: new Map() });
});
