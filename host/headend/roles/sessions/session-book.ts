import { formatCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { CbcFactory } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { deriveCardKey } from '../../../../apdu/decode-module/keys/card-keys.ts';
import { Cmac } from '../../../../apdu/decode-module/keys/cmac.ts';
import type { Clock } from '../../../clock/clock.ts';
import { KEYS_AHEAD } from '../../../contract/answers/answer.ts';
import { formatSession } from '../../../contract/session/session-identity.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { ServicePlan } from '../../config/service-plan.ts';
import { type CardParents, PrivateHalves, UniqueKeys } from '../../keys/grants/card-parents.ts';
import type { CardPoints } from '../../keys/grants/card-points.ts';
import { deriveCeilings } from '../../keys/grants/grant.ts';
import { KeyRoot } from '../../keys/key-root.ts';
import { KeyIds } from '../../keys/numbers/key-ids.ts';
import type { SegmentKey } from '../../keys/schedules/segment-key.ts';
import { SessionKeyManager } from '../../keys/session-key-manager.ts';
import { chooseStrategy } from '../../keys/strategies/choose-strategy.ts';
import type { KeyStrategy } from '../../keys/strategies/key-strategy.ts';
import { type MemberListOptions, MemberListStrategy } from '../../keys/strategies/member-list-strategy.ts';
import { type ServicePairOptions, ServicePairStrategy } from '../../keys/strategies/service-pair-strategy.ts';
import { SharedKeyStrategy } from '../../keys/strategies/shared-key-strategy.ts';
import { SingleSegmentStrategy } from '../../keys/strategies/single-segment-strategy.ts';
import type { ListedMember } from '../../membership/member-list.ts';
import { limitGroups } from '../../sender/sealing-profile.ts';
import type { Log } from '../log.ts';
import type { KeptSession } from './sold-services.ts';

/** Keys that all members share have ids above those of single cards. */
const SHARED_KEY_BASE = 0xf000_0000;

export interface SessionBookOptions {
  readonly store: HeadendStore;
  /** 16 octets. */
  readonly uniqueMaster: Uint8Array;
  /** The static private half, 32 octets. */
  readonly pairKey: Uint8Array;
  readonly points: Pick<CardPoints, 'find'>;
  /** Makes the ciphers of grants; in JavaScript when left out. */
  readonly makeCipher?: CbcFactory | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes the keys of sessions: ids and segments from the database, keys derived from the unique master. */
export class SessionBook {
  readonly #options: SessionBookOptions;
  readonly #root: KeyRoot;
  readonly #ids = new Map<number, Promise<KeyIds>>();
  readonly #writes = new Set<Promise<unknown>>();

  constructor(options: SessionBookOptions) {
    this.#options = options;
    this.#root = new KeyRoot(options.uniqueMaster);
  }

  /** Opens the keys of a session, where it was left. @param members who are on its list. */
  async open(plan: ServicePlan, session: KeptSession, members: Iterable<ListedMember>): Promise<SessionKeyManager> {
    const { log } = this.#options;
    const service = plan.number;
    const ids = await this.#idsOf(service);
    const { strategy: asked, delivery, period, segment, programme, grace } = session.plan;
    const { strategy: name, reason } = chooseStrategy(asked, plan.isInvoiced);
    log.info({ service, session: formatSession(session.identity), strategy: name }, `key strategy ${name}: ${reason}`);
    const segments = await this.#loadSegments(service, session);
    return new SessionKeyManager({
      service,
      tariff: plan.tariff,
      rating: plan.rating,
      classes: plan.classes,
      period,
      segment,
      programme,
      grace,
      delivery,
      keysAhead: KEYS_AHEAD,
      strategy: await this.#makeStrategy(name, plan, session, segments),
      takeId: (kind) => ids.take(kind),
      deriveSegmentKey: (keyId) => this.#root.deriveSegmentKey(service, keyId),
      segments,
      members,
      onSegment: (made) => this.#keepSegment(service, session, made),
    });
  }

  /** Waits until everything is on disk. */
  async settle(): Promise<void> {
    await Promise.all(this.#writes);
    for (const ids of this.#ids.values()) await (await ids).settle();
  }

  #idsOf(service: number): Promise<KeyIds> {
    const ids = this.#ids.get(service) ?? KeyIds.open(this.#options.store, service);
    this.#ids.set(service, ids);
    return ids;
  }

  async #makeStrategy(
    name: KeyStrategy['name'],
    plan: ServicePlan,
    session: KeptSession,
    segments: readonly SegmentKey[],
  ): Promise<KeyStrategy> {
    const { tariff, currency, quantum, number: service } = plan;
    const ceilings = {
      ...deriveCeilings(tariff, limitGroups(session.plan.profile), quantum),
      ...(currency !== undefined && tariff.kind !== 'free' && { currency: currency.number }),
    };
    const common = {
      service,
      root: this.#root,
      parents: this.#makeParents(session),
      ceilings,
      grace: session.plan.grace,
    };
    if (name === 'shared') return new SharedKeyStrategy({ ...common, keyId: await this.#sharedKeyOf(session) });
    if (name === 'single') return new SingleSegmentStrategy(common);
    const list = new MemberListStrategy(common);
    return name === 'pair' ? this.#makePairStrategy({ ...common, earlier: segments }, list, session) : list;
  }

  #makePairStrategy(
    common: MemberListOptions & Pick<ServicePairOptions, 'earlier'>,
    others: KeyStrategy,
    { identity }: KeptSession,
  ): KeyStrategy {
    const { pairKey, points, log } = this.#options;
    return new ServicePairStrategy({
      ...common,
      staticKey: pairKey,
      hasPoint: (cardId) => points.find(cardId) !== undefined,
      others,
      onChosen: (cardId, way, reason) =>
        log.info(
          {
            session: formatSession(identity),
            card: formatCardId(cardId),
            strategy: way === 'pair' ? way : others.name,
          },
          `segment keys under ${way === 'pair' ? 'a pair of the service' : 'service keys'}: ${reason}`,
        ),
    });
  }

  #makeParents({ identity, plan }: KeptSession): CardParents {
    const { uniqueMaster, pairKey, points, makeCipher, log } = this.#options;
    const unique = new Cmac(uniqueMaster, makeCipher);
    const uniqueKeys = new UniqueKeys((cardId) => deriveCardKey(unique, 'downlink', cardId), makeCipher);
    if (plan.parent === 'unique-key') return uniqueKeys;
    return new PrivateHalves({
      others: uniqueKeys,
      staticKey: pairKey,
      find: (cardId) => points.find(cardId),
      onChosen: (cardId, parent, reason) =>
        log.info(
          { session: formatSession(identity), card: formatCardId(cardId), parent },
          `a purchase under the ${parent === 'private-half' ? 'private half' : 'unique key'}: ${reason}`,
        ),
    });
  }

  async #sharedKeyOf({ id }: KeptSession): Promise<number> {
    const { store } = this.#options;
    await store
      .insertInto('sharedKey')
      .values({ sessionId: id, keyId: SHARED_KEY_BASE + id })
      .onConflict((conflict) => conflict.column('sessionId').doNothing())
      .execute();
    const row = await store
      .selectFrom('sharedKey')
      .select('keyId')
      .where('sessionId', '=', id)
      .executeTakeFirstOrThrow();
    return row.keyId;
  }

  async #loadSegments(service: number, { id }: KeptSession): Promise<SegmentKey[]> {
    const { store, clock } = this.#options;
    const rows = await store
      .selectFrom('segment')
      .selectAll()
      .where('sessionId', '=', id)
      .where('validTo', '>', Math.floor(clock.now() / 1000))
      .orderBy('keyId')
      .execute();
    return rows.map(({ keyId, segment, validFrom, validTo }) => ({
      keyId,
      segment,
      from: validFrom,
      to: validTo,
      key: this.#root.deriveSegmentKey(service, keyId),
    }));
  }

  /** It is written while it is announced, well before it holds: a sender waits for no disk. */
  #keepSegment(service: number, { id }: KeptSession, { keyId, segment, from, to }: SegmentKey): void {
    const { store, log } = this.#options;
    const write = store
      .insertInto('segment')
      .values({ service, keyId, sessionId: id, segment, validFrom: from, validTo: to })
      .execute()
      .catch((error: unknown) => log.error({ service, segment, err: error }, 'a segment could not be kept'))
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }
}
