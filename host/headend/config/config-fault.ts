import { TollcastError } from '../../../apdu/errors.ts';

/** A place in a configuration: names of fields, and numbers of elements from 0. */
export type FieldPath = readonly (string | number)[];

/** What is wrong at a place, and what to write there. */
export interface ConfigFault {
  readonly path: FieldPath;
  readonly message: string;
}

/** Writes a place as people do: `services[0].price.content`. */
export function formatPath(path: FieldPath): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}

/** A configuration, or a part of it, that cannot be used. */
export class ConfigError extends TollcastError {
  override readonly name = 'ConfigError';
  readonly faults: readonly ConfigFault[];

  /** @param lines what to tell people, a line for each fault. */
  constructor(faults: readonly ConfigFault[], lines: readonly string[] = faults.map(describeFault)) {
    super('CONFIG', lines.join('\n'));
    this.faults = faults;
  }
}

/** A fault with its place, as a file's line is written before it. */
export function describeFault({ path, message }: ConfigFault): string {
  return path.length === 0 ? message : `${formatPath(path)}: ${message}`;
}

/** Collects the faults of one reading, so that all of them are told at once. */
export class FaultList {
  readonly faults: ConfigFault[] = [];

  add(path: FieldPath, message: string): void {
    this.faults.push({ path, message });
  }

  /** Runs a parser for a field. @returns undefined when the field cannot be used; that is in the list then. */
  read<T>(path: FieldPath, parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof TollcastError)) throw error;
      this.add(path, error.message);
      return undefined;
    }
  }
}
