import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire, findPackageJSON, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { BODY, STYLE } from './page-parts.ts';

/** In a checkout the modules are TypeScript, in the package what became of it. */
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const ROOT = join(import.meta.dirname, '../..');
const MODULES = '/modules';
const PACKAGES = '/packages';
const PLAYER = '/mpegts.js';
/** Modules of this product; what is not named so is not sent. */
const MODULE_PATH = new RegExp(`^${MODULES}(/(?:apdu|card-sim|host)(?:/[a-z0-9-]+)+\\.${EXTENSION})$`);
/** Packages of which each module may be imported by its path. */
const PACKAGE_PATH = new RegExp(`^${PACKAGES}/(@noble/(?:ciphers|curves|hashes))(/[a-z0-9_/-]+\\.js)$`);
const NOBLE = ['@noble/ciphers', '@noble/curves', '@noble/hashes'];
const CURRENCIES = 'countries-list/currencies';

const IMPORTS = JSON.stringify({
  imports: {
    ...Object.fromEntries(NOBLE.map((name) => [`${name}/`, `${PACKAGES}/${name}/`])),
    [CURRENCIES]: `${PACKAGES}/${CURRENCIES}.js`,
    'node:crypto': `${MODULES}/host/page/node-crypto.${EXTENSION}`,
  },
});

/** The page may load what comes from its own address, and run and show nothing else. */
const POLICY = [
  `default-src 'none'`,
  `script-src 'self' ${hashSource(IMPORTS)}`,
  `style-src ${hashSource(STYLE)}`,
  `connect-src 'self'`,
  `media-src blob:`,
  `img-src data:`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ');

const PAGE =
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tollcast</title><link rel="icon" href="data:,">` +
  `<style>${STYLE}</style><script type="importmap">${IMPORTS}</script><script src="${PLAYER}"></script>` +
  `<script type="module" src="${MODULES}/host/page/page.${EXTENSION}"></script></head><body>${BODY}</body></html>\n`;

/** A file that a browser is sent. */
export interface PageFile {
  readonly type: string;
  readonly content: string | Uint8Array;
  /** Its Content-Security-Policy. */
  readonly policy?: string;
}

/** Finds what belongs to a path of the page's address; nothing for any other. @throws when it cannot be read. */
export async function findPageFile(path: string): Promise<PageFile | undefined> {
  if (path === '/') return { type: 'text/html; charset=utf-8', content: PAGE, policy: POLICY };
  const file = fileOf(path);
  if (file === undefined) return undefined;
  const content = await readFile(file);
  const type = 'text/javascript; charset=utf-8';
  return { type, content: file.endsWith('.ts') ? stripTypeScriptTypes(content.toString()) : content };
}

function fileOf(path: string): string | undefined {
  if (path === PLAYER) return createRequire(import.meta.url).resolve('mpegts.js');
  if (path === `${PACKAGES}/${CURRENCIES}.js`) return join(folderOf('countries-list'), 'mjs/currencies.js');
  const [, module] = MODULE_PATH.exec(path) ?? [];
  if (module !== undefined) return join(ROOT, module);
  const [, name, rest = ''] = PACKAGE_PATH.exec(path) ?? [];
  return name === undefined ? undefined : join(folderOf(name), rest);
}

function folderOf(name: string): string {
  const path = findPackageJSON(name, import.meta.url);
  if (path === undefined) throw new Error(`the package ${name} is not there; install tollcast again`);
  return dirname(path);
}

function hashSource(text: string): string {
  return `'sha256-${hash('sha256', text, 'base64')}'`;
}
