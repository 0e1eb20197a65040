import { readFileSync, writeFileSync } from 'node:fs';
import { withTables } from './card/card-cost-tables.ts';
import figures from './card/real-cards.json' with { type: 'json' };
import { readProfile } from './read-profile.ts';

// node test/bench/write-real-cards.ts [PROFILE...]: computes the tables of the page anew. Profiles that
// `tollcast card bench --profile` wrote are taken into real-cards.json first; one of the same name is replaced.
const taken = process.argv.slice(2).map((file) => readProfile(JSON.parse(readFileSync(file, 'utf8'))));
const names = new Set(taken.map(({ name }) => name));
const measured = [...figures.measured.map(readProfile).filter(({ name }) => !names.has(name)), ...taken];
if (taken.length > 0) {
  const file = new URL('card/real-cards.json', import.meta.url);
  writeFileSync(file, `${JSON.stringify({ ...figures, measured }, undefined, 2)}\n`);
}
const page = new URL('../../firmware-notes/real-cards.md', import.meta.url);
writeFileSync(page, withTables(readFileSync(page, 'utf8'), measured));
