import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCardId } from '../../../../apdu/decode-module/card-id.ts';
import { AesCbc } from '../../../../apdu/decode-module/keys/aes-cbc.ts';
import { signReceipt } from '../../../../apdu/decode-module/money/receipt.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { ReceiptDesk, type ReceiptReply } from '../../../../host/headend/receipts/receipt-desk.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { headendDatabase, type HeadendStore, openHeadendStore } from '../../../../host/store/headend/headend-store.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { deriveTestCardKey, MASTERS } from '../../../support/streams/test-service.ts';

const ISSUER = 0x0a1b2c;
const CARD = encodeCardId({ issuer: ISSUER, moduleClass: 'card', serial: 1 });
const SERVICE = 7;
const NOW = Date.UTC(2026, 11, 24, 20);

let directory: string;
let store: HeadendStore;
let writer: GroupWriter;
let desk: ReceiptDesk;
let logged: { detail: unknown; message: string | undefined }[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollcast-receipt-desk-'));
  store = await openHeadendStore(directory);
  writer = new GroupWriter(headendDatabase(directory));
  logged = [];
  const log = { error: (detail: unknown, message?: string) => void logged.push({ detail, message }) };
  const clock = new SimulatedClock(NOW);
  desk = new ReceiptDesk({ store, writer, receiptMaster: MASTERS.receipt, issuer: ISSUER, clock, log });
});

afterEach(async () => {
  await writer.close();
  await store.destroy();
  await rm(directory, { recursive: true });
});

/** A receipt of 1.00 USD. */
function sign(number: number): Uint8Array {
  const at = NOW / 1000 - 60 + number;
  const used = { service: SERVICE, firstSegment: 1, lastSegment: 1, octets: 1000, duration: 1000, groups: 1 };
  const money = { amount: 1_000_000n, torn: 0n, loaded: 9_000_000n, spent: BigInt(number) * 1_000_000n, currency: 840 };
  const place = { cardId: CARD, number, session: number, from: at, to: at, reason: 'closed' } as const;
  return signReceipt({ ...place, ...used, ...money }, new AesCbc(deriveTestCardKey('receipt', CARD)));
}

/** Lets the database refuse what is inserted into a table, as a full disk does. */
function refuse(table: string): void {
  change(`create trigger refused before insert on ${table} begin select raise(abort, 'the disk is full'); end`);
}

function change(statement: string): void {
  const database = new DatabaseSync(headendDatabase(directory));
  database.exec(statement);
  database.close();
}

function problemOf(reply: ReceiptReply): string {
  return 'problem' in reply ? reply.problem.code : 'none';
}

test.each([
  ['receipts', 'receipt', 1],
  ['what is to be looked into', 'suspicion', 2],
] as const)(
  '%s that cannot be kept: it is logged why, without a secret, and it can come again',
  async (_, table, number) => {
    refuse(table);
    const octets = sign(number);
    expect(problemOf(await desk.take(octets))).toBe('unavailable');
    expect(logged).toHaveLength(1);
    const { detail, message } = logged[0]!;
    expect(message).toBe('what a card delivered could not be kept');
    expect(detail).toMatchObject({ card: toHex(CARD), err: { code: 'STORE_FAILED' } });
    const { err } = detail as { err: Error };
    const told = [JSON.stringify(detail), err.message, err.stack, String(err.cause)].join('\n');
    expect(told).toContain('the disk is full');
    for (const secret of [octets, MASTERS.receipt, deriveTestCardKey('receipt', CARD)]) {
      expect(told).not.toContain(toHex(secret));
      expect(told).not.toContain(Buffer.from(secret).toString('base64'));
      expect(told).not.toContain(String(secret));
    }

    change('drop trigger refused');
    expect(problemOf(await desk.take(octets))).toBe(number === 1 ? 'none' : 'receipts-missing');
    expect(logged).toHaveLength(1);
  },
);
