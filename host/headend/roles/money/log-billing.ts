import type { Clock } from '../../../clock/clock.ts';
import type { GroupWriter } from '../../../store/group-writer.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import { PastPrices } from '../../announce/past-prices.ts';
import { LogBiller } from '../../billing/log-biller.ts';
import { ServiceJournal } from '../../meter/service-journal.ts';
import type { Log } from '../log.ts';
import type { SoldServices } from '../sessions/sold-services.ts';

/** Bills from the log by the prices of offers and the journal of what was sent. */
export function openLogBiller(ports: {
  readonly store: HeadendStore;
  readonly writer: GroupWriter;
  readonly clock: Clock;
  readonly log: Log;
  readonly services: Pick<SoldServices, 'find'>;
}): LogBiller {
  const { store, writer, clock, log, services } = ports;
  const findSchemes = (service: number) => services.find(service)?.plan.schemes ?? {};
  return new LogBiller({
    store,
    writer,
    clock,
    onFailure: (err) => log.error({ err }, 'what was sold could not be billed from the log; it is tried again'),
    readPrices: (from, to) => PastPrices.read(store, from, to, findSchemes),
    readSent: (...wanted) => ServiceJournal.readSession(store, ...wanted),
  });
}
