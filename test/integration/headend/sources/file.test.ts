import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, assert, beforeEach, expect, test, vi } from 'vitest';
import { type SimulatedCard, startCard } from '../../../../card-sim/index.ts';
import { Bridge, type BridgeEnd, receiveService } from '../../../../host/bridge/index.ts';
import type { ServiceSender } from '../../../../host/headend/index.ts';
import { openFileCarousel } from '../../../../host/headend/sources/file/file-carousel.ts';
import { type Output, openOutput } from '../../../../host/player/index.ts';
import type { OpenOutputOptions } from '../../../../host/player/open-output.ts';
import { encodeFileDescription } from '../../../../host/stream/file/file-description.ts';
import { nodeAead } from '../../../../host/transport/crypto/node-aead.ts';
import { makeSender } from '../../../support/streams/test-sender.ts';
import { deriveTestCardKey, findFreePort, LOOPBACK, personalise } from '../../../support/streams/test-service.ts';

const NAME = 'a film.bin';
/** 760 pieces, the last one shorter. */
const CONTENT = randomBytes(999_999);
const DESCRIPTION = encodeFileDescription({
  name: NAME,
  length: CONTENT.length,
  digest: createHash('sha256').update(CONTENT).digest(),
  pieceLength: 1316,
}).length;

let folder: string;
let card: SimulatedCard;
let to: { address: string; port: number };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-file-'));
  await writeFile(join(folder, NAME), CONTENT);
  card = await startCard({ kind: 'soft' });
  to = { address: '239.255.78.7', port: await findFreePort() };
});

afterEach(async () => {
  await card.close();
  await rm(folder, { recursive: true, force: true });
});

/** Sends the file, at 40 Mbit/s, in groups of 20: a pass takes 0.2 s. */
async function makeFileSender(cardId: Uint8Array, passes?: number, signal = new AbortController().signal) {
  const { media, file } = await openFileCarousel(join(folder, NAME), { pieceLength: 1316, passes }, signal);
  const cards = [{ cardId, downlinkKey: deriveTestCardKey('downlink', cardId) }];
  // A card takes a grant once: each sender is another purchase.
  const numbers = { take: async () => [++grants] };
  const { sender } = await makeSender(to, {
    source: { media, format: 'data', file, rate: 40_000_000 },
    profile: { every: 20 },
    keys: { cards },
    numbers,
  });
  return sender;
}

let grants = 0;

interface Received {
  readonly end: BridgeEnd;
  readonly bridge: Bridge;
  readonly output: Output;
  readonly error: unknown;
}

/**
 * Receives until the file is whole, or the sender ends.
 * @param lose tells which packets of the media port are lost.
 */
async function receive(
  out: string,
  {
    lose = () => false,
    onListening,
    stop = new AbortController(),
    ...options
  }: OpenOutputOptions & { lose?: (i: number) => boolean; onListening?: () => void; stop?: AbortController } = {},
): Promise<Received> {
  const output = await openOutput(out, LOOPBACK, options);
  const bridge = new Bridge({ open: () => card.channel(), sink: output, aead: nodeAead });
  let count = 0;
  const receiveMedia = bridge.receiveMedia.bind(bridge);
  bridge.receiveMedia = (datagrams, sources) =>
    receiveMedia(
      datagrams.filter(() => !lose(count++)),
      sources,
    );
  const receiver = await receiveService({ ...to, keyPort: to.port + 2, interface: LOOPBACK }, bridge);
  onListening?.();
  let error: unknown;
  void output.ended.then((failure) => {
    error = failure;
    stop.abort();
  });
  try {
    const end = await bridge.run(stop.signal);
    return { end, bridge, output, error };
  } finally {
    await receiver.close();
    await output.close();
  }
}

async function expectWhole(path: string): Promise<void> {
  expect((await readFile(path)).equals(CONTENT)).toBe(true);
  expect((await readdir(folder)).filter((name) => name.includes('.part'))).toEqual([]);
}

async function sendUntil<T>(sender: ServiceSender, work: Promise<T>, stop: AbortController): Promise<T> {
  const sending = sender.run(stop.signal);
  try {
    return await work;
  } finally {
    stop.abort();
    await sending;
  }
}

test('a file comes whole by its own name, is paid once, and ends the run', async () => {
  const cardId = await personalise(card, 3, 10_000_000n);
  const stop = new AbortController();
  const sender = await makeFileSender(cardId, undefined, stop.signal);
  const got = join(folder, 'got');
  await mkdir(got);
  const { end, bridge, output, error } = await sendUntil(sender, receive(got), stop);
  expect(error).toBeUndefined();
  expect(output.file).toMatchObject({ name: NAME, length: CONTENT.length, missing: 0, isComplete: true });
  await expectWhole(join(got, NAME));
  expect((await stat(join(got, NAME))).mode & 0o777).toBe(0o600);
  expect(end.bill?.receipts[0]).toMatchObject({ octets: CONTENT.length + DESCRIPTION });
  expect(bridge.status.paid).toBe(CONTENT.length + DESCRIPTION);
});

test('who comes late, and loses packets, gets all of it from later passes and pays nothing twice', async () => {
  const cardId = await personalise(card, 3, 10_000_000n);
  const stop = new AbortController();
  const sender = await makeFileSender(cardId, undefined, stop.signal);
  const sending = sender.run(stop.signal);
  await vi.waitFor(() => expect(sender.totals.packets).toBeGreaterThan(300), { interval: 5 });
  const path = join(folder, 'film');
  const { end, bridge, error } = await receive(path, { lose: (i) => i % 83 === 5 });
  stop.abort();
  await sending;
  expect(error).toBeUndefined();
  await expectWhole(path);
  expect(end.bill?.receipts[0]).toMatchObject({ octets: CONTENT.length + DESCRIPTION });
  expect(bridge.status.drops.damaged).toBeGreaterThan(0);
  expect(bridge.status.drops.held).toBeGreaterThan(0);
  expect(bridge.status.missing).toBe(0);
}, 30_000);

test('what does not come whole says what is missing, and the next run pays for that alone', async () => {
  const cardId = await personalise(card, 3, 10_000_000n);
  const path = join(folder, 'film');
  const once = await makeFileSender(cardId, 1);
  const { promise: listening, resolve: onListening } = Promise.withResolvers<void>();
  const receiving = receive(path, { lose: (i) => i > 100 && i < 400, onListening });
  await listening;
  await once.run(new AbortController().signal);
  // Everything of the middle is lost.
  const first = await receiving;
  expect(first.end.code).toBe('BYE');
  const { file } = first.output;
  assert(file !== undefined && !file.isComplete);
  expect(file.missing).toBeGreaterThanOrEqual(299);
  expect(file.received + 1316 * file.missing).toBeGreaterThanOrEqual(CONTENT.length);
  // Nothing stands in the place of the whole file.
  expect((await readdir(folder)).toSorted()).toEqual([NAME, 'film.part', 'film.part.held']);
  const stop = new AbortController();
  const again = await makeFileSender(cardId, undefined, stop.signal);
  const second = await sendUntil(again, receive(path), stop);
  expect(second.error).toBeUndefined();
  await expectWhole(path);
  const paid = [first, second].map(({ end }) => end.bill!.receipts[0]!.octets);
  expect(paid[0]! + paid[1]!).toBe(CONTENT.length + 2 * DESCRIPTION);
}, 30_000);

test('a file that is there is kept, and an output that is no place for a file says so', async () => {
  const cardId = await personalise(card, 3, 10_000_000n);
  const run = async (out: string) => {
    const stop = new AbortController();
    const sender = await makeFileSender(cardId, undefined, stop.signal);
    return sendUntil(sender, receive(out), stop);
  };
  const there = await run(folder);
  expect(there.error).toMatchObject({ code: 'OUTPUT_EXISTS' });
  expect(there.bridge.status.paid).toBe(DESCRIPTION);
  const nowhere = await run('udp://127.0.0.1:9');
  expect(nowhere.error).toMatchObject({
    code: 'OUTPUT',
    message: `what is sent is a file, ${NAME} of ${CONTENT.length} octets; name a file or a folder with --out`,
  });
  expect(nowhere.bridge.status.paid).toBe(DESCRIPTION);
  await expectWhole(join(folder, NAME));
}, 30_000);

test('a file that changes while it is sent ends the sender', async () => {
  const { media } = await openFileCarousel(join(folder, NAME), { pieceLength: 1316 }, new AbortController().signal);
  let passes = 0;
  const read = async (): Promise<void> => {
    let octets = 0;
    for await (const chunk of media) {
      octets += chunk.octets.length;
      if (octets % CONTENT.length !== 0) continue;
      passes += 1;
      if (passes === 2) await writeFile(join(folder, NAME), randomBytes(CONTENT.length));
    }
  };
  await expect(read()).rejects.toMatchObject({
    code: 'SOURCE',
    message: expect.stringMatching(/has changed/) as string,
  });
  expect(passes).toBe(3);
});
