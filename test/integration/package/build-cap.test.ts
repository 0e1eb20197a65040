import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SCRIPTS = resolve(import.meta.dirname, '../../../scripts');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-cap-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly output: string;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  return new Promise((done) => {
    const child = execFile(program, args, { env: { ...process.env, ...env } }, (_, stdout, stderr) => {
      done({ code: child.exitCode, output: stdout + stderr });
    });
    child.stdin?.end();
  });
}

async function succeed(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const { code, output } = await run(program, args, env);
  expect([code, output]).toEqual([0, output]);
  return output;
}

/** Octets of made-up components; the zip and the manifest are all that is real of this CAP file. */
const COMPONENTS: readonly (readonly [string, string])[] = [
  ['tollcast/applet/javacard/Header.cap', 'header of 32 octets, made up ...'],
  ['tollcast/applet/javacard/Method.cap', 'method '.repeat(100)],
  ['APPLET-INF/applet.xml', '<applet-app/>'],
];

/** A manifest as converters write them: CRLF, and lines of 72 octets at most. */
function makeManifest(time: string, jdk: string): string {
  return [
    'Manifest-Version: 1.0',
    `Created-By: ${jdk}`,
    '',
    'Name: tollcast/applet',
    `Java-Card-CAP-Creation-Time: ${time}`,
    'Java-Card-Converter-Version:  [v25.1]',
    'Java-Card-Package-AID: 0xf0:0x54:0x4f:0x4c:0x4c:0x43:0x41:0x53:0x54:0x0',
    ' 1',
    '',
    '',
  ].join('\r\n');
}

interface CapShape {
  readonly manifest: string;
  readonly components?: readonly (readonly [string, string])[];
  readonly packing: readonly string[];
  readonly changed: Date;
}

async function makeCap(
  name: string,
  { manifest, components = COMPONENTS, packing, changed }: CapShape,
): Promise<string> {
  const parts = join(folder, `${name}-parts`);
  const cap = join(folder, `${name}.cap`);
  const entries: (readonly [string, string])[] = [['META-INF/MANIFEST.MF', manifest], ...components];
  for (const [path, text] of entries) {
    await mkdir(dirname(join(parts, path)), { recursive: true });
    await writeFile(join(parts, path), text);
    await utimes(join(parts, path), changed, changed);
  }
  await succeed('jar', [
    '--create',
    '--no-manifest',
    ...packing,
    '--file',
    cap,
    ...entries.flatMap(([path]) => ['-C', parts, path]),
  ]);
  return cap;
}

describe('scripts/normalise-cap', () => {
  const monday = { manifest: makeManifest('Mon Jul 07 13:05:47 CEST 2025', '21.0.7 (Ubuntu)'), packing: [] };
  const long = `${'17.0.15 (Debian) '.repeat(3)}\r\n ${'and more '.repeat(5)}`;
  const tuesday = { manifest: makeManifest('Tue Jul 08 09:00:00 UTC 2025', long), packing: ['--no-compress'] };

  test('makes the same octets of the same components, whenever and by whatever they were packed', async () => {
    const one = await makeCap('one', { ...monday, changed: new Date('2025-07-07T11:05:47Z') });
    const other = await makeCap('other', {
      ...tuesday,
      components: COMPONENTS.toReversed(),
      changed: new Date('2025-07-08T09:00:00Z'),
    });
    expect((await readFile(one)).equals(await readFile(other))).toBe(false);
    await succeed(join(SCRIPTS, 'normalise-cap'), [one], { TZ: 'Europe/Berlin' });
    await succeed(join(SCRIPTS, 'normalise-cap'), [other], { TZ: 'Asia/Tokyo' });
    const octets = await readFile(one);
    expect(octets.equals(await readFile(other))).toBe(true);
    await succeed(join(SCRIPTS, 'normalise-cap'), [one]);
    expect((await readFile(one)).equals(octets)).toBe(true);
  });

  test('changes nothing but times and the JDK', async () => {
    const cap = await makeCap('whole', { ...tuesday, changed: new Date() });
    await succeed(join(SCRIPTS, 'normalise-cap'), [cap]);
    const unpacked = await mkdtemp(join(folder, 'unpacked-'));
    await succeed('env', ['-C', unpacked, 'jar', 'xf', cap]);
    for (const [path, text] of COMPONENTS) expect(await readFile(join(unpacked, path), 'utf8')).toBe(text);
    const manifest = await readFile(join(unpacked, 'META-INF/MANIFEST.MF'), 'utf8');
    expect(manifest).toBe(makeManifest('Tue Jan 01 00:00:00 UTC 1980', 'Tollcast'));
  });

  test('other components give other octets', async () => {
    const changed = new Date();
    const one = await makeCap('as-it-is', { ...monday, changed });
    const components = COMPONENTS.map(([path, text], i) => [path, i === 1 ? text.toUpperCase() : text] as const);
    const other = await makeCap('not-as-it-is', { ...monday, components, changed });
    for (const cap of [one, other]) await succeed(join(SCRIPTS, 'normalise-cap'), [cap]);
    expect((await readFile(one)).equals(await readFile(other))).toBe(false);
  });

  test('what is not a zip is refused and left as it is', async () => {
    const file = join(folder, 'text.cap');
    await writeFile(file, 'not a zip');
    expect((await run(join(SCRIPTS, 'normalise-cap'), [file])).code).not.toBe(0);
    expect(await readFile(file, 'utf8')).toBe('not a zip');
  });
});

/**
 * Stand-ins for Oracle's tools, which may not be redistributed: a converter that reads class files up to a version, as
 * those do, and ends with 0 when it has made nothing, as those do; and a verifier that passes all.
 */
async function makeTools(name: string, mostMajor: number): Promise<string> {
  const tools = join(folder, name);
  const bin = join(tools, 'bin');
  await mkdir(bin, { recursive: true });
  const scripts = {
    'converter.sh': `#!/usr/bin/env bash
echo "$*" > ${tools}/asked
while (($#)); do case $1 in -classdir) classes=$2;; -d) to=$2;; esac; shift; done
class=$classes/tollcast/applet/DecodeModuleApplet.class
major=$(od -An -j7 -N1 -tu1 "$class")
echo $((major)) >> ${tools}/majors
if ((major > ${mostMajor})); then echo "error: unsupported class file format of version $((major)).0."; exit 0; fi
mkdir -p "$to/tollcast/applet/javacard" && cd "$to/tollcast/applet/javacard"
date +%N > when; cp "$class" Method.cap; touch applet.exp
jar cf applet.cap Method.cap
`,
    'verifycap.sh': `#!/usr/bin/env bash
echo "$*" > ${tools}/verified
echo "Verification completed with 0 warnings and 0 errors."
`,
  };
  for (const [file, text] of Object.entries(scripts)) {
    await writeFile(join(bin, file), text);
    await chmod(join(bin, file), 0o755);
  }
  return tools;
}

async function majorsTried(tools: string): Promise<number[]> {
  return (await readFile(join(tools, 'majors'), 'utf8')).trim().split('\n').map(Number);
}

describe('scripts/build-cap', () => {
  test('with tools that read class files of Java 8, compiles for it', async () => {
    const tools = await makeTools('tools-25', 52);
    await succeed(join(SCRIPTS, 'build-cap'), [join(folder, 'a.cap')], { JC_HOME: tools });
    expect(await majorsTried(tools)).toEqual([52]);
    expect(await readFile(join(tools, 'asked'), 'utf8')).toMatch(/ -target 3\.0\.4 /);
  });

  test('with tools that do not, compiles for Java 7; twice the same source gives the same octets', async () => {
    const tools = await makeTools('tools-24', 51);
    await succeed(join(SCRIPTS, 'build-cap'), [join(folder, 'b.cap')], { JC_HOME: tools });
    expect(await majorsTried(tools)).toEqual([52, 51]);
    await succeed(join(SCRIPTS, 'build-cap'), [join(folder, 'c.cap')], { JC_HOME: tools });
    expect((await readFile(join(folder, 'b.cap'))).equals(await readFile(join(folder, 'c.cap')))).toBe(true);
  });

  test('with tools that read neither, says so', async () => {
    const tools = await makeTools('tools-old', 50);
    const { code, output } = await run(join(SCRIPTS, 'build-cap'), [join(folder, 'd.cap')], { JC_HOME: tools });
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(/unsupported class file format[^]*no CAP file of class files of Java 8 7\n$/) as string,
    ]);
    expect(await readdir(folder)).not.toContain('d.cap');
  });

  test('for an older card, compiles for Java 7 against its kit and converts by its export files', async () => {
    const tools = await makeTools('tools-305', 51);
    const kit = join(folder, 'kit-222');
    await mkdir(join(kit, 'lib'), { recursive: true });
    await mkdir(join(kit, 'api_export_files/javacard/framework/javacard'), { recursive: true });
    await writeFile(join(kit, 'api_export_files/javacard/framework/javacard/framework.exp'), '');
    const jcardsim = join(process.env['HOME'] ?? '', '.m2/repository/com/licel/jcardsim/2.2.2/jcardsim-2.2.2.jar');
    await writeFile(join(kit, 'lib/api.jar'), await readFile(jcardsim));
    await succeed(join(SCRIPTS, 'build-cap'), [join(folder, 'e.cap')], { JC_HOME: tools, JC_API: kit });
    expect(await majorsTried(tools)).toEqual([51]);
    const asked = await readFile(join(tools, 'asked'), 'utf8');
    expect(asked).toContain(`-exportpath ${kit}/api_export_files `);
    expect(asked).not.toContain('-target');
    const verified = await readFile(join(tools, 'verified'), 'utf8');
    expect(verified).toContain(`${kit}/api_export_files/javacard/framework/javacard/framework.exp `);
    expect(verified).not.toContain('-target');
  });

  test('a kit without its API is refused', async () => {
    const tools = await makeTools('tools-kit', 52);
    const { code, output } = await run(join(SCRIPTS, 'build-cap'), [], { JC_HOME: tools, JC_API: folder });
    expect([code, output]).toEqual([1, expect.stringMatching(/no lib\/api\.jar and api_export_files/) as string]);
  });
});
