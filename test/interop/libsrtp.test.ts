import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { makeContentCiphers } from '../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../apdu/decode-module/working-keys.ts';
import { type AeadFactory, nobleAead } from '../../host/stream/packet/packet-aead.ts';
import { GroupSealer, type SealedGroup } from '../../host/stream/sealing/group-sealer.ts';
import { nodeAead } from '../../host/transport/crypto/node-aead.ts';
import { loadOpensslAead } from '../../host/transport/crypto/node-openssl-aead.ts';
import { openByHand } from '../support/cards/open-by-hand.ts';

const SOURCE = fileURLToPath(new URL('open-with-libsrtp.c', import.meta.url));
const SSRC = 0x0badcafe;
/** All that libsrtp holds for one stream. */
const GROUPS = 16;
const EVERY = 20;
/** So that the sequence number runs over, and the roll-over counter up, in mid-stream. */
const FIRST_SEQUENCE = 0xff60;

let directory: string;
let program: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-libsrtp-'));
  program = join(directory, 'open-with-libsrtp');
  await promisify(execFile)('gcc', ['-Wall', '-Wextra', '-Werror', '-o', program, SOURCE, '-lsrtp2']);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

const pair = deriveWorkingKeys(KIND.content, 7, 1000, randomBytes(16));
const key = { id: 1000, ciphers: makeContentCiphers(pair), masterSalt: randomBytes(12) };
const payloads = Array.from({ length: GROUPS * EVERY }, () => randomBytes(1316));

function seal(aead: AeadFactory): SealedGroup[] {
  const sealer = new GroupSealer({
    ssrc: SSRC,
    mode: 'sealed',
    span: 64,
    every: EVERY,
    closingTime: 1000,
    payloadType: 33,
    firstSequence: FIRST_SEQUENCE,
    random: (length) => randomBytes(length),
    aead,
  });
  return payloads.flatMap((octets, i) =>
    sealer.push({ octets, duration: 1, at: i, timestamp: 90 * i }, key, 1_800_000_000),
  );
}

const packetsOf = (group: SealedGroup) => group.packets.map(({ octets }) => octets);

/** What libsrtp makes of packets, with the group keys as a card would give them out. */
async function openWithLibsrtp(groups: readonly SealedGroup[], packets: readonly Uint8Array[]): Promise<Buffer[]> {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const head = Buffer.alloc(10);
  head.writeUInt32BE(SSRC, 0);
  head.writeUInt16BE(groups.length, 8);
  const keys = groups.map((group) => {
    const mki = Buffer.alloc(4);
    mki.writeUInt32BE(group.header.group);
    const { groupKey } = openByHand(packetsOf(group), { ...pair, masterSalt: key.masterSalt });
    return Buffer.concat([mki, groupKey, key.masterSalt]);
  });
  const framed = packets.map((octets) => Buffer.concat([Uint8Array.of(octets.length >> 8, octets.length), octets]));
  child.stdin.end(Buffer.concat([head, ...keys, ...framed]));
  const [out] = await Promise.all([buffer(child.stdout), once(child, 'close')]);
  expect(child.exitCode).toBe(0);
  const opened: Buffer[] = [];
  for (let at = 0; at < out.length; at += 2 + out.readUInt16BE(at)) {
    opened.push(out.subarray(at + 2, at + 2 + out.readUInt16BE(at)));
  }
  return opened;
}

const openssl = await loadOpensslAead();

test.each<[string, AeadFactory]>([
  ['noble', nobleAead],
  ['node:crypto', nodeAead],
  ...(openssl === undefined ? [] : ([['OpenSSL', openssl]] as [string, AeadFactory][])),
])('libsrtp opens every gap packet that %s sealed, over 16 groups and a roll-over', async (_name, aead) => {
  const groups = seal(aead);
  const gaps = groups.flatMap((group) => packetsOf(group).slice(1));
  const opened = await openWithLibsrtp(groups, gaps);
  const sources = payloads.filter((_payload, i) => i % EVERY !== 0);
  expect(opened).toHaveLength(sources.length);
  for (const [i, packet] of opened.entries()) {
    expect(packet.subarray(0, 12).equals(gaps[i]!.subarray(0, 12))).toBe(true);
    expect(packet.subarray(12).equals(sources[i]!)).toBe(true);
  }
});

test('libsrtp refuses a gap packet with one bit changed, and one under another group', async () => {
  const groups = seal(nodeAead).slice(0, 2);
  const [first, second] = groups.map((group) => packetsOf(group)[1]!);
  const forged = first!.slice();
  forged[100]! ^= 1;
  const moved = Uint8Array.of(...second!.subarray(0, -4), ...first!.subarray(-4));
  const opened = await openWithLibsrtp(groups, [forged, moved, second!]);
  expect(opened.map(({ length }) => length)).toEqual([0, 0, 12 + 1316]);
});
