import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LAYERS } from '../../../oxlint.config.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const APPLET = new Set(
  globSync('card-sim/applet/src/main/*/tollcast/applet/*.java', { cwd: ROOT }).map((path) => basename(path)),
);
const FOR_READERS = ['README.md', '.github/CONTRIBUTING.md', '.github/CHANGELOG.md'];
const NOTES = readdirSync(join(ROOT, 'firmware-notes')).map((name) => `firmware-notes/${name}`);
const COLUMNS = 120;

const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

describe.each([...FOR_READERS, ...NOTES, 'card-sim/jcardsim/README.md'])('%s', (page) => {
  const text = read(page);

  test('names only paths that exist', () => {
    const paths = text.matchAll(
      /(?<![\w./-])(?:apdu|card-sim|host|firmware-notes|test|scripts|\.github)(?:\/[\w.-]*\w)+/g,
    );
    const classes = text.matchAll(/(?<![\w./-])[A-Z]\w+\.java\b/g);
    // What a build makes is not in the repository.
    const missing = [...paths]
      .map(([path]) => path)
      .filter((path) => !path.includes('/target/') && !existsSync(join(ROOT, path)));
    expect(missing).toEqual([]);
    expect([...classes].map(([name]) => name).filter((name) => !APPLET.has(name))).toEqual([]);
  });

  test('links only to files that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !existsSync(resolve(ROOT, page, '..', link)))).toEqual([]);
  });
});

test.each(FOR_READERS)('%s keeps to 120 columns', (page) => {
  const lines = read(page).split('\n');
  expect(lines.filter((line) => line.length > COLUMNS && !line.includes('http'))).toEqual([]);
});

/** The room of the picture that a path of the layers is in. */
function roomOf(path: string): string {
  const [house, room] = path.split('/');
  if (house === 'host') return `host/${room}`;
  return house !== 'card-sim' || room === 'soft' ? path : 'card-sim/simulator';
}

/** What each room may use, itself left out. */
function roomsOfLint(): Map<string, Set<string>> {
  const rooms = new Map<string, Set<string>>(LAYERS.map(({ path }) => [roomOf(path), new Set()]));
  for (const { path, mayImport } of LAYERS) {
    for (const target of mayImport) {
      const whole = [...rooms.keys()].filter((room) => room.startsWith(`${target}/`));
      for (const room of whole.length > 0 ? whole : [roomOf(target)]) {
        if (room !== roomOf(path)) rooms.get(roomOf(path))!.add(room);
      }
    }
  }
  return rooms;
}

/** All rooms that arrows lead to from this one. */
function reachedFrom(room: string, arrows: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const reached = new Set<string>();
  const waiting = [room];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const target of arrows.get(next) ?? []) {
      if (!reached.has(target)) waiting.push(target);
      reached.add(target);
    }
  }
  return reached;
}

test("the README's picture has the arrows that lint holds, and none that others imply", () => {
  const rooms = roomsOfLint();
  const expected: string[] = [];
  for (const [room, targets] of rooms) {
    for (const target of targets) {
      const isImplied = [...targets].some((other) => other !== target && reachedFrom(other, rooms).has(target));
      if (!isImplied) expected.push(`${room} --> ${target}`);
    }
  }
  const picture = /```mermaid\ngraph TD\n([^]*?)```/.exec(read('README.md'))?.[1] ?? '';
  const drawn = picture.trim().split(/\s*\n\s*/);
  expect(drawn.toSorted()).toEqual(expected.toSorted());
});
