import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import { join, normalize } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
/** Packages that a page may import; all of them are one file for each entry. */
const IMPORTS = Object.fromEntries(
  ['ciphers', 'curves', 'hashes'].map((name) => [`@noble/${name}/`, `/node_modules/@noble/${name}/`]),
);
const PAGE = `<!doctype html><title>card</title><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>`;

/** A web site whose page is empty and whose modules are those of this checkout, without their types. */
export function serveModules(): Server {
  return createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://page').pathname);
    if (path === '/') return void response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    try {
      const text = readFileSync(join(ROOT, path), 'utf8');
      const code = path.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
      response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(code);
    } catch {
      response.writeHead(404).end();
    }
  });
}
