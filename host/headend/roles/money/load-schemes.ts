import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TollcastError } from '../../../../apdu/errors.ts';
import type { ChargingScheme } from '../../charging/schemes/charging-scheme.ts';
import { addScheme } from '../../charging/schemes/known-schemes.ts';
import type { SchemeFile } from '../../config/plan-schemes.ts';

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
  const exports = new Map<string, unknown>(typeof module === 'object' && module !== null ? Object.entries(module) : []);
  const exported = exports.get(functionName);
  if (!isScheme(exported)) {
    const names = [...exports.keys()].join(', ') || 'nothing';
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
