import { decodeCardId, type ModuleClass } from '../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { KeyEntry } from '../../apdu/decode-module/keys/key-list.ts';
import type { VerificationKey } from '../../apdu/decode-module/keys/verification-key.ts';
import type { LimitsInForce } from '../../apdu/decode-module/limits-in-force.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';
import type { LogRecord } from '../../apdu/decode-module/money/log-record.ts';
import type { PurseStatus } from '../../apdu/decode-module/money/purse-status.ts';
import {
  CAPABILITY,
  type Capability,
  hasCapability,
  type SelectAnswer,
} from '../../apdu/decode-module/select-answer.ts';
import { hasPurse } from './life.ts';

/** A purse, and what limits it. */
export interface PurseSnapshot {
  readonly status: PurseStatus;
  /** The newest record: spend limit, spent of the day, credit limit. */
  readonly record: LogRecord;
}

/** All that a card tells anybody who selects it. */
export interface CardSnapshot {
  readonly answer: SelectAnswer;
  /** The class that the card id names; undefined when the card is blank. */
  readonly moduleClass: ModuleClass | undefined;
  readonly capabilities: readonly Capability[];
  /** Undefined when the card has none. */
  readonly purse: PurseSnapshot | undefined;
  /** What holds for its holder; undefined when the card was made before it told that. */
  readonly limits: LimitsInForce | undefined;
  readonly keys: readonly KeyEntry[];
  /** Whose signatures the issuer of the card trusts. */
  readonly trusted: readonly VerificationKey[];
}

/** Selects the module and reads what it shows. An open session ends. */
export async function readCard(module: DecodeModule): Promise<CardSnapshot> {
  const answer = await module.select();
  const withPurse = hasPurse(answer);
  return {
    answer,
    moduleClass: moduleClassOf(answer),
    capabilities: capabilitiesOf(answer),
    purse: withPurse ? { status: await module.getPurse(), record: await module.getLog(0) } : undefined,
    limits: await readLimits(module),
    keys: withPurse ? await module.listKeys() : [],
    trusted: await module.getVerificationKeys(),
  };
}

async function readLimits(module: DecodeModule): Promise<LimitsInForce | undefined> {
  try {
    return await module.getLimits();
  } catch (error) {
    if (error instanceof ModuleError && error.code === 'UNKNOWN_KEY') return undefined;
    throw error;
  }
}

function moduleClassOf({ cardId }: SelectAnswer): ModuleClass | undefined {
  return cardId.every((octet) => octet === 0) ? undefined : decodeCardId(cardId).moduleClass;
}

function capabilitiesOf(answer: SelectAnswer): Capability[] {
  return Object.keys(CAPABILITY)
    .filter(isCapability)
    .filter((name) => hasCapability(answer, name));
}

function isCapability(name: string): name is Capability {
  return name in CAPABILITY;
}
