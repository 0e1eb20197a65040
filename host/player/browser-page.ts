import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { BODY, SCRIPT, STYLE } from './browser-page-parts.ts';

const require = createRequire(import.meta.url);

/** The query of the stream itself, and that of the program by which the page shows it. */
const STREAM_QUERY = 'stream';
const PROGRAM_QUERY = 'mpegts.js';

/** The page may load what comes from its own address, and run and show nothing else. */
const POLICY = [
  `default-src 'none'`,
  `script-src 'self' ${hashSource(SCRIPT)}`,
  `style-src ${hashSource(STYLE)}`,
  `connect-src 'self'`,
  `media-src blob:`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ');

const PAGE =
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tollcast</title><style>${STYLE}</style></head>` +
  `<body>${BODY}<script src="?${PROGRAM_QUERY}"></script><script>${SCRIPT}</script></body></html>\n`;

/**
 * Answers a browser that opens the address, as browsers do not play MPEG-TS themselves: with a page that does. The page
 * asks for the stream as a player does; it costs nothing itself.
 * @param contentType of the stream, where it is known.
 * @returns whether it answered; otherwise the stream is asked for.
 */
export function answerBrowser(
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string | undefined,
): boolean {
  const [, query] = (request.url ?? '').split('?', 2);
  if (query === PROGRAM_QUERY) {
    void sendProgram(response);
    return true;
  }
  if (query === STREAM_QUERY || !isVisit(request)) return false;
  // What a browser plays itself needs no page.
  if (contentType !== undefined && contentType !== 'video/mp2t') return false;
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': POLICY }).end(PAGE);
  return true;
}

/** Whether the user opens the address in a tab. From addresses of other machines browsers send no Sec-Fetch-Dest. */
function isVisit({ headers }: IncomingMessage): boolean {
  const dest = headers['sec-fetch-dest'] ?? 'document';
  const mode = headers['sec-fetch-mode'] ?? 'navigate';
  return dest === 'document' && mode === 'navigate' && (headers.accept ?? '').includes('text/html');
}

async function sendProgram(response: ServerResponse): Promise<void> {
  try {
    const program = await readFile(require.resolve('mpegts.js'));
    response.writeHead(200, { 'Content-Type': 'text/javascript; charset=utf-8' }).end(program);
  } catch {
    response.writeHead(500, { 'Content-Type': 'text/plain' }).end('mpegts.js is not there; install tollcast again\n');
  }
}

function hashSource(text: string): string {
  return `'sha256-${hash('sha256', text, 'base64')}'`;
}
