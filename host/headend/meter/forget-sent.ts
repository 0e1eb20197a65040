import type { GroupWriter } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';

/** Seconds of the journal that go in one transaction, so that nobody waits long for the database. */
const STEP = 6 * 3600;
const NOTE = `insert into sent_forgotten (id, before, forgotten_at) values (1, ?, ?)
  on conflict (id) do update set before = max(before, excluded.before), forgotten_at = excluded.forgotten_at`;
const FORGET = 'delete from sent_second where service = ? and second >= ? and second < ?';

/**
 * Shortens the sender's journal. Prices of content keys stay. It is noted first, so that what is missing is known to
 * have been there; what a crash leaves goes the next time.
 * @param before media time, seconds since 1970: seconds before it go.
 * @param now seconds since 1970.
 */
export async function forgetSent(
  store: HeadendStore,
  writer: Pick<GroupWriter, 'commit'>,
  before: number,
  now: number,
): Promise<void> {
  const services = await store.selectFrom('sentKey').select('service').distinct().execute();
  let isNoted = false;
  for (const { service } of services) {
    const { second: first } = await store
      .selectFrom('sentSecond')
      .select(({ fn }) => fn.min<number | null>('second').as('second'))
      .where('service', '=', service)
      .executeTakeFirstOrThrow();
    if (first === null || first >= before) continue;
    if (!isNoted) await writer.commit([{ sql: NOTE, values: [before, now] }]);
    isNoted = true;
    for (let from = first; from < before; from += STEP) {
      await writer.commit([{ sql: FORGET, values: [service, from, Math.min(before, from + STEP)] }]);
    }
  }
}
