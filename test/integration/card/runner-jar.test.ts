import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const JAR = resolve('card-sim/jcardsim/target/jcardsim-runner.jar');
const README = readFileSync('card-sim/jcardsim/README.md', 'utf8');
const SBOM = 'META-INF/sbom/jcardsim-runner.cdx.json';

interface Component {
  readonly name: string;
  readonly version: string;
}

/** Rows of the README's table: component, version, licence, packages. */
const ROWS = README.slice(README.indexOf('## What the jar holds'))
  .split('\n')
  .filter((line) => /^\| (?!component|-)/.test(line))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );

let folder: string;

function runJar(...args: readonly string[]): string {
  const home = process.env['JAVA_HOME'];
  return execFileSync(home === undefined ? 'jar' : join(home, 'bin/jar'), args, { cwd: folder, encoding: 'utf8' });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'runner-jar-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

test('the runner’s jar has no package that the README does not name, and each that it names', () => {
  const packages = ROWS.flatMap((row) => [...row[3]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
  const classes = runJar('tf', JAR)
    .split('\n')
    .filter((name) => name.endsWith('.class'));
  expect(classes.length).toBeGreaterThan(500);
  const foreign = classes.filter((name) => !packages.some((prefix) => name.startsWith(`${prefix}/`)));
  expect(foreign).toEqual([]);
  for (const prefix of packages) expect(classes.some((name) => name.startsWith(`${prefix}/`))).toBe(true);
  expect(classes.filter((name) => /kryo|objenesis|reflectasm|smartcardio/i.test(name))).toEqual([]);
});

test('its SBOM lists the components of the README, with the same versions', () => {
  runJar('xf', JAR, SBOM);
  const { bomFormat, components } = JSON.parse(readFileSync(join(folder, SBOM), 'utf8')) as {
    readonly bomFormat: string;
    readonly components: readonly Component[];
  };
  expect(bomFormat).toBe('CycloneDX');
  const named = ROWS.flatMap(([names, version]) =>
    names!.split(', ').map((name) => `${name} ${version!.split(' ')[0]!}`),
  ).filter((name) => !name.startsWith('jcardsim-runner '));
  expect(components.map(({ name, version }) => `${name} ${version}`).toSorted()).toEqual(named.toSorted());
});
