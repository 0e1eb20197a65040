import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CardHeader } from '../../../../apdu/decode-module/packets/card-part.ts';
import { SentJournal } from '../../../../host/headend/meter/sent-journal.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';

const SOLD = {
  service: 7,
  session: 'tollcast 1 127.0.0.1',
  tariff: { kind: 'octets', price: 250_000n },
  currency: currencyByCode('USD'),
} as const;

let directory: string;
let store: HeadendStore;
let writer: GroupWriter;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-journal-'));
  store = await openHeadendStore(directory);
  writer = new GroupWriter(headendDatabase(directory));
});

afterEach(async () => {
  await writer.close();
  await store.destroy();
  await rm(directory, { recursive: true });
});

function group(mediaTime: number, contentKeyId: number, octets: number): CardHeader {
  const place = { mode: 'sealed', spanBlocks: 4, packets: 1, index: 0, ssrc: 2, group: 1 } as const;
  return { ...place, mediaTime, contentKeyId, octets, duration: 250 };
}

async function send(journal: SentJournal, ...groups: readonly CardHeader[]): Promise<void> {
  for (const header of groups) await journal.count(header);
}

test('what was sent stands there for each content key and second, with what cards take for it', async () => {
  const journal = new SentJournal(writer, SOLD);
  await journal.begin(2, 100);
  journal.keyChanged(5);
  await send(journal, group(100, 1, 10), group(100, 1, 20), group(101, 1, 40));
  journal.keyChanged(6);
  await send(journal, group(101, 2, 80), group(109, 2, 160));
  await journal.close();
  const seconds = await store.selectFrom('sentSecond').selectAll().orderBy('second').orderBy('keyId').execute();
  expect(
    seconds.map(({ second, keyId, octets, duration, groups }) => [second, keyId, octets, duration, groups]),
  ).toEqual([
    [100, 1, 30n, 500n, 2],
    [101, 1, 40n, 250n, 1],
    [101, 2, 80n, 250n, 1],
    [109, 2, 160n, 250n, 1],
  ]);
  expect(await store.selectFrom('sentKey').selectAll().orderBy('keyId').execute()).toEqual(
    [
      [1, 5],
      [2, 6],
    ].map(([keyId, segment]) => {
      const { service, session } = SOLD;
      return { service, keyId, session, segment, tariff: 'octets', price: 250_000n, currency: 840 };
    }),
  );
  expect(await store.selectFrom('sentBound').selectAll().execute()).toEqual([]);
});

test('before anything is sent its bound is on disk, also where much more is sent than ever, and after a jump', async () => {
  const journal = new SentJournal(writer, SOLD);
  await journal.begin(2, 100);
  journal.keyChanged(5);
  for (const header of [group(100, 1, 10), group(100, 1, 16_000_000), group(100, 1, 16_000_000), group(9000, 1, 7)]) {
    await journal.count(header);
    // As if the sender died here.
    const bounds = await store.selectFrom('sentBound').selectAll().execute();
    const written = await store.selectFrom('sentSecond').selectAll().execute();
    const sum = written
      .filter(({ second }) => second === header.mediaTime)
      .reduce((all, { octets }) => all + octets, 0n);
    expect(bounds).toHaveLength(1);
    const [{ timeFrom, timeTo, octets }] = bounds as [(typeof bounds)[number]];
    expect(timeFrom).toBeLessThanOrEqual(header.mediaTime);
    expect(timeTo).toBeGreaterThanOrEqual(header.mediaTime);
    expect(octets + sum).toBeGreaterThanOrEqual(header.mediaTime === 100 ? BigInt(header.octets) : 7n);
  }
  const last = await store.selectFrom('sentSecond').selectAll().execute();
  expect(last).toMatchObject([{ second: 100, octets: 32_000_010n }]);
});

test('nothing may be sent that cannot be written down', async () => {
  const failing = { commit: () => Promise.reject(new Error('disk full')) };
  const journal = new SentJournal(failing, SOLD);
  await expect(journal.begin(2, 100)).rejects.toThrow('disk full');
  await expect(journal.count(group(100, 1, 1))).rejects.toThrow('disk full');
});
