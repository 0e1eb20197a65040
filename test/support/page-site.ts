import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { findFreePort } from './streams/test-service.ts';

interface ImportMap {
  readonly imports: Readonly<Record<string, string>>;
}

/**
 * Asks for a page and for every module that it leads to, as a browser does.
 * @returns addresses of the modules, and of what did not come as JavaScript.
 */
export async function walkPage(where: string): Promise<{ modules: string[]; missing: string[] }> {
  const page = await (await fetch(where)).text();
  const map = JSON.parse(/<script type="importmap">(.*?)<\/script>/.exec(page)![1]!) as ImportMap;
  const waiting = [...page.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, src = '']) => new URL(src, where).href);
  const modules: string[] = [];
  const missing: string[] = [];
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (modules.includes(url)) continue;
    modules.push(url);
    const response = await fetch(url);
    if (!response.ok || !response.headers.get('content-type')?.startsWith('text/javascript')) missing.push(url);
    const code = await response.text();
    if (url.endsWith('/mpegts.js')) continue;
    for (const [, name = ''] of code.matchAll(/^(?:import|export)\s(?:[^'"`;]*?from\s*)?['"]([^'"]+)['"]/gm)) {
      waiting.push(resolveName(name, url, map).href);
    }
  }
  return { modules, missing };
}

/** By the import map, of which the longest prefix wins. */
function resolveName(name: string, from: string, { imports }: ImportMap): URL {
  if (name.startsWith('.') || name.startsWith('/')) return new URL(name, from);
  const exact = imports[name];
  if (exact !== undefined) return new URL(exact, from);
  const prefix = Object.keys(imports).find((known) => known.endsWith('/') && name.startsWith(known));
  // A name that nothing stands for is asked for as it is, and is missing.
  return new URL(prefix === undefined ? `/${name}` : `${imports[prefix]!}${name.slice(prefix.length)}`, from);
}

/** A relay that runs as a program, with its page at a port that the system chose. */
export interface RunningRelay {
  readonly where: string;
  /** Ends it. @returns its exit code and signal, and all that it said. */
  stop(): Promise<{ code: number | null; signal: string | null; said: string }>;
}

/** Starts `tollcast relay` and waits for its page. @throws Error with what it said, if it ends instead. */
export async function startRelay(program: readonly string[], group: string, cwd?: string): Promise<RunningRelay> {
  const args = [...program, 'relay', '--address', `${group}:${await findFreePort()}`, '--port', '0'];
  const relay = execFile(process.execPath, args, { cwd });
  const ended = once(relay, 'exit');
  let said = '';
  const where = await new Promise<string>((found, fail) => {
    relay.stderr!.on('data', (text: string) => {
      said += text;
      const address = /(http:\S+); open that in a browser\n/.exec(said)?.[1];
      if (address !== undefined) found(address);
    });
    relay.once('exit', (code) => fail(new Error(`the relay ended with ${code}: ${said}`)));
  });
  return {
    where,
    stop: async () => {
      relay.kill('SIGTERM');
      const [code, signal] = (await ended) as [number | null, string | null];
      return { code, signal, said };
    },
  };
}
