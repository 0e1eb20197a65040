import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrivatePcscd } from '../../../card-sim/simulator/private-pcscd.ts';
import { startRelay, walkPage } from '../../support/page-site.ts';
import { countTally } from '../../support/tally.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const MAX_FILES = 1000;
const MAX_OCTETS = 5_000_000;
const MAX_PACKED_OCTETS = 3_000_000;
const SETUP_MS = 300_000;

interface Description {
  readonly version: string;
  readonly bin: { readonly tollcast: string };
  readonly exports: Readonly<Record<string, string>>;
  readonly devDependencies: { readonly vitest: string };
}

const described = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Description;
/** As a program writes them: `tollcast/apdu`. */
const ENTRIES = Object.keys(described.exports)
  .filter((name) => !name.endsWith('.json'))
  .map((name) => name.replace('.', 'tollcast'));
/** Runs only inside Vitest. */
const FIXTURE = 'tollcast/card-sim/vitest';

let folder: string;
/** The empty project that the package is installed in. */
let project: string;

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program in the project, with npm's caches aside, and nothing of the npm that may have started this test. */
function run(command: string, args: readonly string[], cwd = project): Promise<Run> {
  const { npm_config_local_prefix: _, ...env } = process.env;
  const home = dirname(dirname(process.execPath));
  // The headers that came with this Node, so that pcsclite's build fetches none.
  if (existsSync(join(home, 'include/node/node.h'))) env['npm_config_nodedir'] = home;
  env['npm_config_cache'] = join(folder, 'npm-cache');
  env['NO_COLOR'] = '1';
  env['PATH'] = `${dirname(process.execPath)}${delimiter}${env['PATH']}`;
  return new Promise((done) => {
    const child = execFile(command, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const said = error === null || child.exitCode !== null ? '' : error.message;
      done({ code: child.exitCode, output: stdout + stderr + said });
    });
    child.stdin?.end();
  });
}

async function succeed(command: string, args: readonly string[], cwd = project): Promise<string> {
  const { code, output } = await run(command, args, cwd);
  expect(code, `${command} ${args.join(' ')}\n${output}`).toBe(0);
  return output;
}

const runTsc = () => run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit']);

beforeAll(async () => {
  const started = performance.now();
  folder = await mkdtemp(join(tmpdir(), 'tollcast-package-'));
  project = join(folder, 'project');
  await mkdir(project);
  await succeed('npm', ['pack', '--pack-destination', folder], ROOT);
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  const archive = join(folder, `tollcast-${described.version}.tgz`);
  const vitest = `vitest@${described.devDependencies.vitest}`;
  await succeed('npm', ['install', '--no-audit', '--no-fund', archive, vitest]);
  // What the README shows has to type-check and to pass with all else.
  const example = /```ts\n([^]*?)```/.exec(await readFile(join(ROOT, 'README.md'), 'utf8'))?.[1];
  await writeFile(join(project, 'readme.test.ts'), example ?? '');
  countTally('packed and installed', 'package', Math.round((performance.now() - started) / 1000), 'seconds');
}, SETUP_MS);

afterAll(() => rm(folder, { recursive: true, force: true }));

test('holds what runs, its declarations and the jCardSim runner, and no test or source', async () => {
  const installed = join(project, 'node_modules/tollcast');
  const all = await readdir(installed, { recursive: true, withFileTypes: true });
  const files = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const names = files.map((file) => file.slice(installed.length + 1));
  const sources = names.filter((name) => /(^|\/)test\/|\.test\.|(?<!\.d)\.ts$/.test(name));
  // An example that operators copy, and then load as it is.
  expect(sources).toEqual(['scripts/half-at-night.ts']);
  expect(names.filter((name) => name.endsWith('.jar'))).toHaveLength(1);
  const entries = Object.values(described.exports).filter((path) => path.endsWith('.js'));
  const declarations = entries.map((path) => path.replace('./', '').replace(/\.js$/, '.d.ts'));
  expect(names).toEqual(expect.arrayContaining(declarations));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const octets = sizes.reduce((sum, size) => sum + size, 0);
  const packed = (await stat(join(folder, `tollcast-${described.version}.tgz`))).size;
  expect(names.length).toBeLessThan(MAX_FILES);
  expect(octets).toBeLessThan(MAX_OCTETS);
  expect(packed).toBeLessThan(MAX_PACKED_OCTETS);
  countTally('packed', 'package', names.length, 'files');
  countTally('unpacked', 'package', octets, 'octets');
});

test('gives plain JavaScript every entry, and opens a soft card', async () => {
  await writeFile(
    join(project, 'plain.js'),
    `import { DecodeModule } from 'tollcast/apdu';
import { SoftCard } from 'tollcast/card-sim';
import { readCard } from 'tollcast/holder';
import { SoftChannel, openCard } from 'tollcast/transport';

for (const name of ${JSON.stringify(ENTRIES.filter((entry) => entry !== FIXTURE))}) {
  if (Object.keys(await import(name)).length === 0) throw new Error(name + ' exports nothing');
}
const cards = [await openCard('soft'), new SoftChannel(new SoftCard())];
for (const channel of cards) {
  const { life } = await new DecodeModule(channel).select();
  const { capabilities } = await readCard(new DecodeModule(channel));
  console.log(life, capabilities.length > 0);
  await channel.close();
}
`,
  );
  expect(await succeed(process.execPath, ['plain.js'])).toBe('blank true\nblank true\n');
});

describe('in TypeScript', () => {
  const imports = ENTRIES.map((entry, i) => `import * as entry${i} from '${entry}';`).join('\n');
  const used = `export const entries = [${ENTRIES.map((_, i) => `entry${i}`).join(', ')}];`;

  test('every entry has its types, with no flag beside "module": "nodenext"', async () => {
    await writeFile(join(project, 'tsconfig.json'), '{ "compilerOptions": { "module": "nodenext" } }\n');
    await writeFile(
      join(project, 'typed.ts'),
      `${imports}
import { type CardChannel, DecodeModule } from 'tollcast/apdu';
import { openCard } from 'tollcast/transport';

${used}
export const channel: CardChannel = await openCard('soft');
export const life: string = (await new DecodeModule(channel).select()).life;
`,
    );
    expect(await runTsc()).toEqual({ code: 0, output: '' });
  });

  test('what is used wrongly is an error', async () => {
    const wrong = join(project, 'wrong.ts');
    await writeFile(wrong, `import { openCard } from 'tollcast/transport';\nexport const channel = openCard(1);\n`);
    expect((await runTsc()).output).toMatch(/^wrong\.ts\(2,\d+\): error TS2345: [^\n]*\n(?: [^\n]*\n)*$/);
    await rm(wrong);
  });
});

test("the fixture gives a user's Vitest a card of every kind, also as the README shows it", async () => {
  await writeFile(
    join(project, 'card.test.js'),
    `import { expect } from 'vitest';
import { DecodeModule } from 'tollcast/apdu';
import { CARD_KINDS } from 'tollcast/card-sim';
import { cardTest } from 'tollcast/card-sim/vitest';

for (const kind of CARD_KINDS) {
  cardTest(kind)('a new card is blank: ' + kind, async ({ card }) => {
    const channel = await card.channel();
    expect((await new DecodeModule(channel).select()).life).toBe('blank');
    await channel.close();
  });
}
`,
  );
  const output = await succeed('npx', ['vitest', 'run', '--reporter=verbose', '--testTimeout=60000']);
  for (const kind of ['soft', 'jcardsim', 'pcsc']) expect(output).toContain(`a new card is blank: ${kind}`);
  expect(output).toContain('readme.test.ts');
  expect(output).toMatch(/Tests +4 passed/);
}, 180_000);

test('the command tells its version and lists readers', async () => {
  expect(await succeed('npx', ['tollcast', '--version'])).toBe(`${described.version}\n`);
  const { output } = await run('npx', ['tollcast', 'issuer', 'list'], project);
  expect(output).toContain('type: npx tollcast issuer init\n');
  const pcscd = await PrivatePcscd.start();
  try {
    const expected = PrivatePcscd.readers.map((reader) => `${reader}: no card\n`).join('');
    expect(await succeed('npx', ['tollcast', 'card', 'list'])).toBe(expected);
  } finally {
    await pcscd.stop();
  }
});

test('the page of the relay is whole', async () => {
  const relay = await startRelay([join(project, 'node_modules/.bin/tollcast')], '239.255.78.8', project);
  try {
    const { modules, missing } = await walkPage(relay.where);
    expect([modules.length > 100, missing]).toEqual([true, []]);
  } finally {
    await relay.stop();
  }
}, 60_000);

describe('an older Node', () => {
  const LINE = /^tollcast needs Node 24 or newer, and this is Node \d+\.\d+\.\d+; [^\n]*npx -y -p node@24\n$/;
  /** How to start it: those of this machine, and one that only says that it is old. */
  const pretend = `Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.0'}})`;
  const starts = [[process.execPath, `--import=data:text/javascript,${pretend}`]];

  beforeAll(async () => {
    const paths = (process.env['PATH'] ?? '').split(delimiter).map((path) => join(path, 'node'));
    for (const node of new Set(paths.filter((path) => existsSync(path)).map((path) => realpathSync(path)))) {
      const { code, output } = await run(node, ['--version']);
      if (code === 0 && Number(/^v(\d+)/.exec(output)?.[1]) < 24) starts.push([node]);
    }
  });

  test('is told by every entry and by the command which one is needed', async () => {
    const programs = Object.values(described.exports).filter((path) => path.endsWith('.js'));
    const installed = join(project, 'node_modules/tollcast');
    for (const [node, ...options] of starts) {
      for (const program of [...programs, described.bin.tollcast]) {
        const { code, output } = await run(node!, [...options, join(installed, program)]);
        expect(output, program).toMatch(LINE);
        expect(code, program).toBe(1);
      }
    }
  });

  test('is told so in the checkout by the command, the demo and Vitest', async () => {
    const [node, option] = starts[0]!;
    const programs = ['host/cli/tollcast.ts', 'scripts/demo.ts', 'node_modules/vitest/vitest.mjs'];
    for (const program of programs) {
      const { code, output } = await run(node!, [option!, join(ROOT, program)], ROOT);
      expect(output, program).toMatch(LINE);
      expect(code, program).toBe(1);
    }
  });
});
