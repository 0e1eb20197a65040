import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { TollcastError } from '../../../apdu/errors.ts';
import { findFaults, hasForm } from './check-schema.ts';
import { ConfigError, type ConfigFault, describeFault, FaultList, type FieldPath } from './config-fault.ts';
import { HEADEND, type HeadendDefinition } from './config-schema.ts';
import { planHeadend, type HeadendPlan } from './headend-plan.ts';

/** Octets. */
const MAX_FILE = 1_000_000;

/** A configuration as its file has it, and as the head-end uses it. */
export interface Config {
  readonly definition: HeadendDefinition;
  readonly plan: HeadendPlan;
}

/**
 * Reads the configuration of a head-end, YAML 1.2 or JSON, which is a part of it.
 * @throws ConfigError `CONFIG` with a line for each fault: file, line, column, field, and what to write there.
 */
export async function readConfig(path: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new TollcastError('CONFIG', `${path} cannot be read; name the configuration with --config`, { cause });
  }
  return parseConfig(text, basename(path));
}

/**
 * Reads the text of a configuration.
 * @param name of its file, for what is told.
 * @throws ConfigError as {@link readConfig} does.
 */
export function parseConfig(text: string, name: string): Config {
  if (text.length > MAX_FILE) throw new TollcastError('CONFIG', `${name} has more than ${MAX_FILE} octets; shorten it`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [wrong] = document.errors;
  if (wrong !== undefined) {
    const at = lines.linePos(wrong.pos[0]);
    throw new ConfigError([], [`${name}:${at.line}:${at.col}: ${wrong.message}; correct it`]);
  }
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  const tell = (faults: readonly ConfigFault[]) =>
    new ConfigError(
      faults,
      faults.map((fault) => `${name}:${locate(document, lines, fault.path)}: ${describeFault(fault)}`),
    );
  if (!hasForm(HEADEND, value)) throw tell(findFaults(HEADEND, value));
  const faults = new FaultList();
  const plan = planHeadend(value, faults);
  if (plan === undefined || faults.faults.length > 0) throw tell(faults.faults);
  return { definition: value, plan };
}

/** Line and column of a field, or of what it is missing in. */
function locate(document: Document, lines: LineCounter, path: FieldPath): string {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      const { line, col } = lines.linePos(node.range[0]);
      return `${line}:${col}`;
    }
  }
  return '1:1';
}
