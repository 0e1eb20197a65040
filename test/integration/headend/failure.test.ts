import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { readJson, startHeadend } from '../../support/headend/headend-fixture.ts';
import { SoftViewer } from '../../support/headend/soft-viewer.ts';
import { findFreePort } from '../../support/streams/test-service.ts';

test('a head-end that can keep no record says so, gives out no key, and is told to be started anew', async () => {
  const session = {
    name: 'main',
    source: import.meta.filename,
    format: 'data',
    rate: 16_000,
    repeat: true,
    address: `239.255.7.9:${await findFreePort()}`,
  };
  const service = { number: 7, name: 'Harbour', price: { content: { price: 'free' } }, sessions: [session] };
  await using fixture = await startHeadend([service]);
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  const viewer = await SoftViewer.start(5, 0n);
  try {
    expect((await fixture.ask('GET', '/healthz')).status).toBe(200);
    using database = new DatabaseSync(join(fixture.directory, 'state/headend.sqlite'));
    database.exec('alter table request_log rename to gone');
    const now = Math.floor(Date.now() / 1000);
    const asked = { service: 7, offer: offers[0]!.id, from: now, to: now + 1800 };
    expect(await viewer.request(fixture, 'join', asked)).toBe('unavailable');
    expect(await fixture.headend.failed).toMatchObject({ code: 'STORE_FAILED' });
    const health = await fixture.ask('GET', '/healthz');
    expect([health.status, health.type]).toEqual([503, 'application/problem+json']);
    expect(readJson(health)).toMatchObject({ detail: expect.stringContaining('start it anew') as string });
  } finally {
    await viewer.close();
  }
});
