import type { FastifyBaseLogger } from 'fastify';
import type { MasterName } from '../../../apdu/decode-module/keys/card-keys.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import type { GroupWriter } from '../../store/group-writer.ts';
import type { HeadendStore } from '../../store/headend/headend-store.ts';
import { IssuerStandings } from '../../store/issuer-standings.ts';
import type { SharedNumbers } from '../../store/shared-numbers.ts';
import { loadOpensslCbc } from '../../transport/crypto/node-openssl-cbc.ts';
import { ListChanges } from '../announce/list-changes.ts';
import { type NamedSigner, openOfferSigner } from '../announce/offer-signer.ts';
import { OpenOffers } from '../announce/open-offers.ts';
import { openTlsIdentity, type TlsIdentity } from '../api/tls-identity.ts';
import type { LogBiller } from '../billing/log-biller.ts';
import { StoreBilling } from '../charging/store-billing.ts';
import type { Config } from '../config/read-config.ts';
import type { CardPoints } from '../keys/grants/card-points.ts';
import { joinCardNumbers } from '../keys/numbers/grant-numbers.ts';
import type { IssuerUplinkKeys } from '../requests/card-authentication.ts';
import { RequestDesk } from '../requests/request-desk.ts';
import { findIssuerNumber } from './issuer-number.ts';
import { openLogBiller } from './money/log-billing.ts';
import { type MoneyRoles, openMoneyRoles } from './money/money-roles.ts';
import { openPairs } from './sessions/open-pairs.ts';
import { RunningServices } from './sessions/running-services.ts';
import { SentOctets } from './sessions/sent-octets.ts';
import { SessionBook } from './sessions/session-book.ts';
import { SessionRouter } from './sessions/session-router.ts';
import type { SessionRunnerPorts } from './sessions/session-runner.ts';
import { SoldServices } from './sessions/sold-services.ts';

export interface HeadendOptions {
  readonly config: Config;
  /** Opens a master of the issuer store, 16 octets. */
  readonly openMaster: (name: MasterName) => Promise<Uint8Array>;
  /** Opens what tells the requests of the issuer's cards; left out, all are of the uplink master. */
  readonly openUplinkKeys?: () => Promise<IssuerUplinkKeys>;
  /** Whether the issuer store has a master; without one of receipts none are taken. None when left out. */
  readonly hasMaster?: (name: MasterName) => Promise<boolean>;
  readonly log: FastifyBaseLogger;
  readonly clock?: Clock;
  /** Opens a source by its name; files, pipes and the network when left out. */
  readonly openSource?: SessionRunnerPorts['openSource'];
}

/** What a head-end is made of. */
export interface HeadendParts extends MoneyRoles {
  readonly url: string;
  readonly tls: TlsIdentity;
  readonly signer: NamedSigner;
  readonly clock: Clock;
  readonly store: HeadendStore;
  readonly writer: GroupWriter;
  readonly services: SoldServices;
  readonly offers: OpenOffers;
  readonly desk: RequestDesk;
  readonly changes: ListChanges;
  readonly running: RunningServices;
  readonly meter: SentOctets;
  readonly points: CardPoints;
  readonly numbers: SharedNumbers;
  readonly logBiller: LogBiller;
  readonly standings: IssuerStandings;
}

/** Opens all that a head-end is made of. @throws as its parts do. */
export async function assembleHeadend(
  { config, openMaster, hasMaster, openUplinkKeys, log, clock = systemClock, openSource }: HeadendOptions,
  store: HeadendStore,
  writer: GroupWriter,
): Promise<HeadendParts> {
  const { plan, definition } = config;
  const { mode, period } = plan.charging;
  const uniqueMaster = await openMaster('unique');
  const uplink = (await openUplinkKeys?.()) ?? { master: await openMaster('uplink'), older: undefined };
  const issuer = await findIssuerNumber(plan.issuer, plan.issuerNumber);
  const masters = new Map([[issuer, uplink.master]]);
  const url = plan.url ?? `https://${plan.listen.address}:${plan.listen.port}`;
  const tls = await openTlsIdentity(plan.state, plan.tls, new URL(url).hostname);
  const signer = await openOfferSigner(plan.state, plan.signing.id, plan.signing.key);
  const services = await SoldServices.open(store, clock);
  await services.applyConfiguration(definition.services);
  const offers = new OpenOffers(store, signer, { url, tlsKey: tls.fingerprint }, clock);
  const router = new SessionRouter();
  const meter = await SentOctets.open(store, () => running.sent());
  const makeCipher = await loadOpensslCbc();
  const numbers = await joinCardNumbers(plan.issuer, plan.state);
  const standings = IssuerStandings.open(plan.issuer);
  const changes = new ListChanges(clock);
  const desk = await RequestDesk.open({
    numbers,
    standings,
    store,
    writer,
    masters,
    olderUplinkKeys: uplink.older,
    offers,
    keys: router,
    meter,
    events: changes,
    charging: {
      mode,
      billing: new StoreBilling(writer),
      ...(mode === 'transfer' && { period }),
      onFailure: (err, entry) => log.error({ err, entry }, 'a charging entry could not be billed; it is tried again'),
    },
    makeCipher,
    clock,
  });
  const { pairKey, points } = await openPairs(plan, services.list(), log);
  const book = new SessionBook({ store, uniqueMaster, pairKey, points, makeCipher, clock, log });
  const running = new RunningServices({
    book,
    router,
    members: desk,
    meter,
    writer,
    clock,
    log,
    locks: plan.issuer,
    openSource,
  });
  const money = await openMoneyRoles({ plan, openMaster, hasMaster, issuer, clock, store, writer, log });
  return {
    url,
    tls,
    signer,
    clock,
    store,
    writer,
    services,
    offers,
    desk,
    changes,
    running,
    meter,
    ...money,
    points,
    numbers,
    logBiller: openLogBiller({ store, writer, clock, log, services }),
    standings,
  };
}
