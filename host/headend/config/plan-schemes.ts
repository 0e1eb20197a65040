import { schemeNames } from '../charging/schemes/known-schemes.ts';
import type { FaultList, FieldPath } from './config-fault.ts';
import type { ServiceDefinition } from './config-schema.ts';

/** A scheme of an operator's own, as the configuration names it. */
export interface SchemeFile {
  readonly name: string;
  /** A module, from the working directory on. */
  readonly file: string;
  /** What it exports. */
  readonly functionName: string;
}

/** Names of the schemes that say what of a charge by invoice is billed. */
export type PlannedSchemes = Partial<Record<'content' | 'delivery', string>>;

/**
 * @param at place of the service in the configuration.
 * @param declared names of schemes that are loaded later.
 */
export function planSchemes(
  { price }: ServiceDefinition,
  at: FieldPath,
  faults: FaultList,
  declared: readonly string[],
): PlannedSchemes {
  const known = [...new Set([...schemeNames(), ...declared])];
  const schemes: PlannedSchemes = {};
  for (const part of ['content', 'delivery'] as const) {
    const { scheme, settlement } = price[part] ?? {};
    if (scheme === undefined) continue;
    const field = [...at, 'price', part, 'scheme'];
    if (!known.includes(scheme)) {
      faults.add(field, `no scheme is called so; there are ${known.join(', ')}`);
    } else if (settlement !== 'invoice') {
      faults.add(field, 'a card takes its price and knows no scheme; settle this part by invoice');
    } else {
      schemes[part] = scheme;
    }
  }
  return schemes;
}
