import { readFileSync, writeFileSync } from 'node:fs';
import { withTables } from './card-cost-tables.ts';

// node test/bench/write-real-cards.ts: computes the tables of the page anew.
const page = new URL('../../firmware-notes/real-cards.md', import.meta.url);
writeFileSync(page, withTables(readFileSync(page, 'utf8')));
