import { expect } from 'vitest';
import { concat } from '../../../apdu/octets.ts';
import { MediaTimeline } from '../../../host/headend/sources/media-timeline.ts';
import { TsPacker } from '../../../host/headend/sources/ts/ts-packer.ts';
import { PCR_MODULUS, TS_LAYOUTS } from '../../../host/headend/sources/ts/ts-packet.ts';
import type { MediaPayload } from '../../../host/stream/sealing/group-sealer.ts';
import type { TsPacketPlan } from './transport-stream.ts';

/** Ticks of 27 MHz in a millisecond. */
export const MS = 27_000;

/** A PCR on every 10th packet, `every` ticks apart. */
export function steady(packets: number, every = 40 * MS, first = 0, pid = 0x100): TsPacketPlan[] {
  return Array.from({ length: packets }, (_none, i) =>
    i % 10 === 0 ? { pid, pcr: (first + (i / 10) * every) % PCR_MODULUS } : { pid: 0x101 },
  );
}

/** Packs a transport stream that comes in chunks. */
export function pack(stream: Uint8Array, chunk = 1000, packets = 7, firstTimestamp = 0): MediaPayload[] {
  const packer = new TsPacker(new MediaTimeline(firstTimestamp), packets, TS_LAYOUTS.ts);
  const payloads: MediaPayload[] = [];
  for (let at = 0; at < stream.length; at += chunk) payloads.push(...packer.push(stream.subarray(at, at + chunk)));
  return [...payloads, ...packer.flush()];
}

/** ms in all. */
export const durationOf = (payloads: readonly MediaPayload[]) =>
  payloads.reduce((sum, { duration }) => sum + duration, 0);

/** No octet is lost, added or moved. */
export function expectWhole(payloads: readonly MediaPayload[], stream: Uint8Array): void {
  expect(Buffer.compare(concat(...payloads.map(({ octets }) => octets)), stream)).toBe(0);
}
