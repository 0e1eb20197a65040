import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

/** What a file imports when it runs; what is imported as a type only is not there any more then. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
  const calls = text.matchAll(/\bimport\(\s*'([^']+)'/g);
  return [...statements, ...calls].map(([, name]) => name!);
}

/** What a module reaches: its files, from the root of the checkout, and the names of packages. */
function reach(entry: string): { readonly files: string[]; readonly packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const waiting = [join(ROOT, entry)];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const name of importsOf(file)) {
      if (name.startsWith('.')) waiting.push(join(dirname(file), name));
      else packages.add(name);
    }
  }
  return { files: [...files].map((file) => relative(ROOT, file)), packages: [...packages] };
}

test.each([
  ['host/bridge/bridge.ts', 'host/stream/opening/group-opener.ts'],
  ['host/holder/card-snapshot.ts', 'apdu/decode-module/card-id.ts'],
  ['host/holder/leave.ts', 'apdu/decode-module/requests/leave-record.ts'],
  ['host/holder/life.ts', 'apdu/errors.ts'],
  ['host/holder/pin.ts', 'apdu/decode-module/module-status.ts'],
  ['host/holder/purse-log.ts', 'apdu/decode-module/module-status.ts'],
  ['host/holder/spend-limit.ts', 'host/holder/pin.ts'],
])('%s runs in a browser: it reaches %s, and nothing of Node', (entry, reached) => {
  const { files, packages } = reach(entry);
  expect(files).toContain(reached);
  expect(packages.filter((name) => !name.startsWith('@noble/'))).toEqual([]);
});

test('what receives by UDP needs Node, and the bridge does not reach it', () => {
  expect(reach('host/bridge/receive-service.ts').packages).toContain('node:dgram');
  expect(reach('host/bridge/bridge.ts').files).not.toContain('host/bridge/receive-service.ts');
});
