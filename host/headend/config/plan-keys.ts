import type { ParentName } from '../keys/grants/card-parents.ts';
import type { StrategyName } from '../keys/strategies/key-strategy.ts';
import type { FaultList, FieldPath } from './config-fault.ts';
import type { SessionDefinition } from './config-schema.ts';

/** How the members of a session get its keys. Times in seconds. */
export interface KeysPlan {
  readonly strategy: 'auto' | StrategyName;
  /** Whether segment keys are on the key port, or in answers alone. */
  readonly delivery: 'multicast' | 'unicast';
  /** What the purchases of a card come under, where it has a pair. */
  readonly parent: ParentName;
  readonly period: number;
  readonly segment: number;
  readonly grace: number;
}

/** Reads what a session says of its keys. @param at their place in the configuration. */
export function planKeys(keys: NonNullable<SessionDefinition['keys']>, at: FieldPath, faults: FaultList): KeysPlan {
  const isSingle = keys.strategy === 'single';
  if (isSingle && keys.delivery === 'multicast') {
    faults.add(
      [...at, 'delivery'],
      'a segment that is bought by itself is for one card, in an answer; write unicast, or strategy: list or shared',
    );
  }
  if (isSingle && (keys.grace ?? 0) > 0) {
    faults.add(
      [...at, 'grace'],
      'a segment that is bought by itself opens nothing of the next; write 0, or leave it out',
    );
  }
  return {
    strategy: keys.strategy ?? 'auto',
    delivery: keys.delivery ?? (isSingle ? 'unicast' : 'multicast'),
    parent: keys.parent ?? 'unique-key',
    period: keys.period ?? 300,
    segment: keys.segment ?? 3600,
    grace: keys.grace ?? (isSingle ? 0 : 5),
  };
}

/** Has users that are invoiced for what they could open get keys that leavers do not get. */
export function requireKeysForInvoices(sessions: readonly SessionDefinition[], at: FieldPath, faults: FaultList): void {
  for (const [i, { keys: { strategy = 'auto' } = {} }] of sessions.entries()) {
    if (strategy === 'auto' || strategy === 'list') continue;
    faults.add(
      [...at, 'sessions', i, 'keys', 'strategy'],
      'what is settled by invoice needs keys that leavers do not get; write list or auto',
    );
  }
}
