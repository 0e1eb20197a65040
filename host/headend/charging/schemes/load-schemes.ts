import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TollcastError } from '../../../../apdu/errors.ts';
import type { ChargingScheme } from './charging-scheme.ts';
import { addScheme } from './known-schemes.ts';

/** A scheme of an operator's own, as the configuration names it. */
export interface SchemeFile {
  readonly name: string;
  /** A module, from the working directory on. */
  readonly file: string;
  /** What it exports. */
  readonly functionName: string;
}

/** Loads schemes, and adds them. @throws TollcastError `CONFIG` naming file and function of one that cannot be used. */
export async function loadSchemes(schemes: readonly SchemeFile[]): Promise<void> {
  for (const { name, file, functionName } of schemes) {
    const scheme = await loadFunction(name, file, functionName);
    addScheme(name, scheme, `${functionName} of ${file}`);
  }
}

async function loadFunction(name: string, file: string, functionName: string): Promise<ChargingScheme> {
  let module: unknown;
  try {
    module = await import(pathToFileURL(resolve(file)).href);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TollcastError(
      'CONFIG',
      `schemes.${name}.file: ${file} cannot be loaded (${reason}); name a module of JavaScript or TypeScript`,
      { cause },
    );
  }
  const exported: unknown = Reflect.get(Object(module), functionName);
  if (!isScheme(exported)) {
    const names = Object.keys(Object(module)).join(', ') || 'nothing';
    throw new TollcastError(
      'CONFIG',
      `schemes.${name}.function: ${file} exports no function ${functionName}, but ${names}; name the function there`,
    );
  }
  return exported;
}

/** Its result is looked at whenever it is called. */
function isScheme(value: unknown): value is ChargingScheme {
  return typeof value === 'function';
}
