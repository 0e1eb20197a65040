import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseGroupPieces, FilePacker } from '../../../../host/headend/sources/file/file-packer.ts';
import { MediaTimeline } from '../../../../host/headend/sources/media-timeline.ts';
import { DESCRIPTION_PIECE, parseFileDescription } from '../../../../host/stream/file/file-description.ts';
import type { MediaPayload } from '../../../../host/stream/sealing/group-sealer.ts';

function packerOf(length: number, rate = 10_000_000, groupPieces = 5) {
  const file = { name: 'a.bin', length, digest: new Uint8Array(32), pieceLength: 1316 };
  return { file, packer: new FilePacker(new MediaTimeline(0), file, { rate, groupPieces }) };
}

const isPiece = ({ timestamp }: MediaPayload): boolean => timestamp !== DESCRIPTION_PIECE;

test('whatever chunks a file comes in, every pass has the same pieces at the same numbers and group starts', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40_000 }),
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1 }),
      (length, cuts) => {
        const content = randomBytes(length);
        const { packer } = packerOf(length);
        const out: MediaPayload[] = [];
        const twice = Buffer.concat([content, content]);
        for (let at = 0, i = 0; at < twice.length; i++) {
          const size = cuts[i % cuts.length]!;
          out.push(...packer.push(twice.subarray(at, at + size)));
          at += size;
        }
        const pieces = out.filter(isPiece);
        const half = pieces.length / 2;
        for (const pass of [pieces.slice(0, half), pieces.slice(half)]) {
          expect(Buffer.concat(pass.map(({ octets }) => octets)).equals(content)).toBe(true);
          expect(pass.map(({ timestamp }) => timestamp)).toEqual(pass.map((_, i) => i));
          expect(pass.every(({ startsGroup }, i) => startsGroup === (i % 5 === 0))).toBe(true);
        }
        // A description goes before the first piece of each pass.
        expect(out.filter((payload) => !isPiece(payload))).toHaveLength(2);
        expect(isPiece(out[0]!)).toBe(false);
      },
    ),
    { numRuns: 50 },
  );
});

test('the description comes again every 2 s, between groups', () => {
  const { file, packer } = packerOf(1316 * 1000, 1316 * 8 * 100);
  const out = packer.push(new Uint8Array(1316 * 1000));
  const described = out.filter((payload) => !isPiece(payload));
  expect(described.map(({ octets }) => parseFileDescription(octets))).toEqual(described.map(() => file));
  // 1,000 pieces at 100 a second.
  expect(described).toHaveLength(5);
  for (const [i, payload] of out.entries()) if (!isPiece(payload)) expect(out[i + 1]?.startsGroup).toBe(true);
});

test('a group has no more pieces than fit into its closing time', () => {
  expect(chooseGroupPieces(100, 10_000_000, 250)).toBe(100);
  expect(chooseGroupPieces(100, 1_000_000, 250)).toBe(23);
  expect(chooseGroupPieces(100, 10_000, 250)).toBe(1);
});
