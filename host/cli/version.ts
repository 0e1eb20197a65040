import { readFileSync } from 'node:fs';

/** The version in the package's own package.json. */
export function readVersion(): string {
  const described: unknown = JSON.parse(readFileSync(new URL(import.meta.resolve('tollcast/package.json')), 'utf8'));
  const known = typeof described === 'object' && described !== null && 'version' in described;
  return known ? String(described.version) : 'unknown';
}
