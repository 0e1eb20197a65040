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
