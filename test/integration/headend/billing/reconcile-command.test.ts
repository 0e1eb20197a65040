import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { listFraud, reconcile } from '../../../../host/cli/billing/reconcile-actions.ts';
import { openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { type HeadendFixture, startHeadend } from '../../../support/headend/headend-fixture.ts';

const CARD = '0a1b2c0200000001';
const FROM = Date.UTC(2026, 11, 24, 20) / 1000;

let fixture: HeadendFixture;
let config: string;

beforeEach(async () => {
  fixture = await startHeadend([]);
  const { directory, port } = fixture;
  config = join(directory, 'tv.json');
  const places = { listen: `127.0.0.1:${port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
  await writeFile(config, JSON.stringify({ ...places, services: [] }));
});

afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
});

/** What a command writes. */
async function readCsv(command: () => Promise<void>): Promise<Record<string, string>[]> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await command();
    return parse(write.mock.calls.map(([text]) => String(text)).join(''), { columns: true });
  } finally {
    write.mockRestore();
  }
}

test('differences and suspicions are CSV, in which nothing is a formula', async () => {
  await using store = await openHeadendStore(join(fixture.directory, 'state'));
  const used = { octets: 1_000_000n, duration: 1000n, groups: 4, timeFrom: FROM, timeTo: FROM + 9, amount: 250_000n };
  const counted = { torn: 0n, loaded: 1_000_000n, spent: 250_000n, currency: 840, isTorn: false };
  const place = { cardId: CARD, number: 1, service: 7, firstSegment: 1, lastSegment: 1, takenAt: FROM + 60 };
  await store
    .insertInto('receipt')
    .values({ ...place, ...used, ...counted, message: new Uint8Array(112) })
    .execute();
  const reason = '=HYPERLINK("http://example.com")';
  await store
    .insertInto('suspicion')
    .values({ cardId: CARD, kind: 'runs backwards', number: 2, at: FROM, reason, message: null })
    .execute();
  const rows = await readCsv(() =>
    expect(reconcile({ config, csv: true })).rejects.toThrow('2 differences; look into each'),
  );
  const row = { card: '0a1b2c-02-00000001', number: '1', service: '7', microUnits: '250000' };
  const time = { from: '2026-12-24T20:00:00Z', to: '2026-12-24T20:00:09Z' };
  expect(rows).toEqual([
    { ...row, ...time, kind: 'nothing sent', why: `nothing of service 7 was sent from ${FROM} to ${FROM + 9} here` },
    {
      ...row,
      ...time,
      kind: 'not in the ledger',
      why: 'the ledger has no card:0a1b2c-02-00000001 to revenue:7 250000 of 840;',
    },
  ]);
  expect(await readCsv(() => listFraud({ config, csv: true }))).toEqual([
    {
      kind: 'runs backwards',
      card: '0a1b2c-02-00000001',
      number: '2',
      service: '',
      at: '2026-12-24T20:00:00Z',
      why: `'${reason}`,
    },
  ]);
});
