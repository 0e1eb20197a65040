import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly 'working-directory'?: string;
  readonly 'timeout-minutes'?: number;
}
interface Job {
  readonly 'runs-on': string;
  readonly steps: readonly Step[];
  readonly env?: Readonly<Record<string, string>>;
}

const { on, jobs } = parse(read('.github/recipes/card-tests.yml')) as {
  readonly on: readonly string[];
  readonly jobs: Readonly<Record<string, Job>>;
};

test('the recipe for CI is a workflow: jobs of steps that each use or run one thing', () => {
  expect(on).toEqual(['push', 'pull_request']);
  expect(Object.keys(jobs)).toEqual(['without-docker', 'with-image']);
  const known = new Set(['uses', 'run', 'with', 'working-directory', 'timeout-minutes']);
  for (const { 'runs-on': runsOn, steps } of Object.values(jobs)) {
    expect(runsOn).toMatch(/^ubuntu-/);
    for (const step of steps) {
      expect((step.uses === undefined) !== (step.run === undefined), JSON.stringify(step)).toBe(true);
      expect(Object.keys(step).filter((key) => !known.has(key))).toEqual([]);
      if (step.uses !== undefined) expect(step.uses).toMatch(/^[\w-]+\/[\w-]+@v\d+$/);
    }
  }
});

test('it takes the Node and the Java that the package needs', () => {
  const { engines } = JSON.parse(read('package.json')) as { readonly engines: { readonly node: string } };
  const [node] = /\d+/.exec(engines.node)!;
  const [java] = /(?<=openjdk-)\d+/.exec(read('card-sim/jcardsim/Dockerfile'))!;
  for (const { steps } of Object.values(jobs)) {
    const set = steps.filter(({ uses }) => uses?.startsWith('actions/setup-') === true);
    for (const { uses, with: options = {} } of set) {
      if (uses!.includes('node')) expect(options['node-version']).toBe(Number(node));
      else expect(options['java-version']).toBe(Number(java));
    }
  }
});

test('the image is built and run as its Dockerfile says, and its card is at the address that is asked', () => {
  const { steps, env } = jobs['with-image']!;
  const runs = steps.flatMap(({ run }) => run ?? []);
  const dockerfile = read('card-sim/jcardsim/Dockerfile');
  const [, tag, file, folder] = /--tag (\S+) --file (\S+) (\S+)/.exec(runs.join('\n'))!;
  expect(dockerfile).toContain(`docker build -t ${tag} -f ${file} ${folder}\n`);
  expect([existsSync(join(ROOT, file!)), existsSync(join(ROOT, folder!, 'pom.xml'))]).toEqual([true, true]);
  const [, port] = /tcp=(\d+)/.exec(dockerfile)!;
  expect(runs).toContain(`docker run --detach --publish 127.0.0.1:${port}:${port} ${tag}`);
  expect(env?.['CARD']).toBe(`tcp:127.0.0.1:${port}`);
});
