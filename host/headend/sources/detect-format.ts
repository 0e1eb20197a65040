import { concat } from '../../../apdu/octets.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { detectAudio } from './audio/detect-audio.ts';
import { type MediaChunk, type MediaSource, splitRecords } from './media-source.ts';
import { areRtp, mayBeRtp, RtpPayloads, unwrapRtp } from './rtp-source.ts';
import type { SourceFormat } from './source-format.ts';
import { detectTsFormat, ENOUGH_FOR_TS } from './ts/ts-packet.ts';

/** Octets that are looked at, at most. */
const ENOUGH = 0x4000;
/** ms after the first octets within which a live source has to show what it is. */
const MAX_WAIT = 150;
/** ms for which the second packet of what may be RTP is waited for. */
const MAX_WAIT_RTP = 1000;
const LINE_FEED = 0x0a;

export interface Detected {
  readonly format: SourceFormat;
  /** To be read in place of the source, which was begun. */
  readonly media: MediaSource;
  /** Whether it comes as time passes; a file is there before it is read. */
  readonly isLive: boolean;
}

/**
 * Detects the format of a source from its first octets. RTP headers are taken off.
 * @param format to be taken instead.
 * @throws TransportError `SOURCE`.
 */
export async function detectFormat(
  source: MediaSource,
  format?: SourceFormat,
  clock: Clock = systemClock,
): Promise<Detected> {
  const chunks = source[Symbol.asyncIterator]();
  const { head, pending } = await readHead(chunks, format === undefined ? ENOUGH : 1, clock);
  const rest: MediaSource = {
    async *[Symbol.asyncIterator]() {
      try {
        yield* head;
        for (let next = await (pending ?? chunks.next()); next.done !== true; next = await chunks.next()) {
          yield next.value;
        }
      } finally {
        await chunks.return?.();
      }
    },
  };
  const [first] = head;
  const isLive = first?.arrival !== undefined;
  if (format !== undefined) return { format, media: rest, isLive };
  const records = head.flatMap(splitRecords);
  const hasRecords = first?.ends !== undefined;
  if (!hasRecords || !areRtp(records.slice(0, 2))) {
    const hasLines = isLive && !hasRecords;
    return { format: formatOf(concat(...records), hasLines), media: rest, isLive };
  }
  const payloads = new RtpPayloads();
  const clear = records.map((datagram) => payloads.take(datagram)).filter((payload) => payload !== undefined);
  return { format: formatOf(concat(...clear), false), media: unwrapRtp(rest), isLive };
}

/** Reads until the octets can tell, or a live source has had its time. */
async function readHead(
  chunks: AsyncIterator<MediaChunk>,
  enough: number,
  clock: Clock,
): Promise<{ head: readonly MediaChunk[]; pending: Promise<IteratorResult<MediaChunk>> | undefined }> {
  const head: MediaChunk[] = [];
  let length = 0;
  let until = Infinity;
  while (length < enough) {
    const pending = chunks.next();
    const next = await (until === Infinity ? pending : within(until - clock.monotonic(), pending, clock));
    if (next === undefined) return { head, pending };
    if (next.done === true) break;
    head.push(next.value);
    length += next.value.octets.length;
    if (next.value.arrival !== undefined && until === Infinity) {
      const isRtp = next.value.ends !== undefined && mayBeRtp(next.value.octets);
      until = next.value.arrival + (isRtp ? MAX_WAIT_RTP : MAX_WAIT);
    }
    if (isTold(head)) break;
  }
  return { head, pending: undefined };
}

async function within<T>(ms: number, pending: Promise<T>, clock: Clock): Promise<T | undefined> {
  const given = new AbortController();
  const over = clock.sleep(Math.max(0, ms), given.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([pending, over]);
  } finally {
    given.abort();
  }
}

/** Whether octets show what they are, so that nothing has to be waited for. */
function isTold(head: readonly MediaChunk[]): boolean {
  const records = head.flatMap(splitRecords);
  if (head[0]?.ends !== undefined) {
    if (areRtp(records)) return true;
    // A single datagram does not show whether it is RTP.
    if (records.length === 1 && mayBeRtp(records[0]!)) return false;
  }
  const octets = concat(...records);
  if (isText(octets)) return true;
  return octets.length >= ENOUGH_FOR_TS && (detectTsFormat(octets, 0) !== undefined || detectAudio(octets));
}

/** @param hasLines whether text is lines that come one by one. */
function formatOf(head: Uint8Array, hasLines: boolean): SourceFormat {
  const ts = detectTsFormat(head, ENOUGH);
  if (ts !== undefined && detectTsFormat(head, 0) === ts) return ts;
  if (detectAudio(head)) return 'audio';
  return ts ?? (hasLines && isText(head) ? 'lines' : 'data');
}

/** Whether octets are lines of UTF-8. The last character may be cut. */
function isText(octets: Uint8Array): boolean {
  if (!octets.includes(LINE_FEED)) return false;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(octets, { stream: true });
    // oxlint-disable-next-line no-control-regex -- That is what is looked for.
    return !/[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text);
  } catch {
    return false;
  }
}
