import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { signReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { concat } from '../../../apdu/octets.ts';
import { systemClock } from '../../../host/clock/clock.ts';
import { SentJournal } from '../../../host/headend/meter/sent-journal.ts';
import { ReceiptDesk } from '../../../host/headend/receipts/receipt-desk.ts';
import { Reconciler } from '../../../host/headend/receipts/reconciler.ts';
import { currencyByCode } from '../../../host/money/currency.ts';
import { GroupWriter } from '../../../host/store/group-writer.ts';
import { headendDatabase, openHeadendStore } from '../../../host/store/headend/headend-store.ts';
import { deriveTestCardKey, MASTERS } from '../../support/streams/test-service.ts';
import type { Measurement } from '../figures.ts';
import { MeasurementError } from '../measurement-error.ts';

const CARDS = 2000;
const EACH = 20;
const OCTETS = 1000;
/** Deliveries that wait at a time. */
const AT_ONCE = 500;
const ISSUER = 0x0a1b2c;

/** Receipts that are verified, kept with their ledger entries, and reconciled in a second. */
export async function measureReceipts(): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), 'tollcast-receipts-'));
  const store = await openHeadendStore(directory);
  const writer = new GroupWriter(headendDatabase(directory));
  try {
    const journal = new SentJournal(writer, {
      service: 7,
      session: 'tollcast 1 127.0.0.1',
      tariff: { kind: 'octets', price: 1_000_000n },
      currency: currencyByCode('USD'),
    });
    await journal.begin(2, 1000);
    const header = { mode: 'sealed', spanBlocks: 4, packets: 1, index: 0, ssrc: 2, group: 1, contentKeyId: 1 } as const;
    for (let second = 1000; second < 1000 + EACH; second++) {
      await journal.count({ ...header, mediaTime: second, octets: OCTETS, duration: 1000 });
    }
    await journal.close();
    const deliveries = Array.from({ length: CARDS }, (_none, serial) => signReceipts(serial + 1));
    const log = { error: (detail: unknown) => process.stderr.write(`${JSON.stringify(detail)}\n`) };
    const options = { store, writer, receiptMaster: MASTERS.receipt, issuer: ISSUER, clock: systemClock, log };
    const desk = new ReceiptDesk(options);
    const taken = await measureSeconds(async () => {
      for (let at = 0; at < deliveries.length; at += AT_ONCE) {
        const replies = await Promise.all(deliveries.slice(at, at + AT_ONCE).map((octets) => desk.take(octets)));
        if (replies.some((reply) => 'problem' in reply)) throw new MeasurementError('a receipt was refused');
      }
    });
    const reconciled = await measureSeconds(async () => {
      const { totals, differences } = await new Reconciler(store).reconcile({ from: 0, to: 0xffff_ffff });
      const count = totals.reduce((sum, { receipts }) => sum + receipts, 0);
      if (count !== CARDS * EACH || differences.length > 0) throw new MeasurementError('receipts do not reconcile');
    });
    const receipts = CARDS * EACH;
    const perSecond = (seconds: number): number => Math.round(receipts / seconds);
    return {
      how:
        `${receipts.toLocaleString('en')} receipts of ${CARDS.toLocaleString('en')} cards, ${EACH} a delivery: tag and order ` +
        'checked, receipt and ledger entry in one transaction; then held against the journal and the ledger.',
      rows: [
        { what: 'verified and kept', figure: perSecond(taken), unit: 'receipts/s' },
        { what: 'reconciled', figure: perSecond(reconciled), unit: 'receipts/s' },
        { what: 'both', figure: perSecond(taken + reconciled), unit: 'receipts/s', goal: { atLeast: 10_000 } },
      ],
    };
  } finally {
    await writer.close();
    await store.destroy();
    await rm(directory, { recursive: true });
  }
}

/** The receipts of a card that watched a second each, at one micro-unit an octet. */
function signReceipts(serial: number): Uint8Array {
  const cardId = encodeCardId({ issuer: ISSUER, moduleClass: 'card', serial });
  const mac = new AesCbc(deriveTestCardKey('receipt', cardId));
  const money = { amount: BigInt(OCTETS), torn: 0n, loaded: 1_000_000n, currency: 840 };
  const watched = { service: 7, firstSegment: 0, lastSegment: 0, octets: OCTETS, duration: 1000, groups: 1 };
  return concat(
    ...Array.from({ length: EACH }, (_none, i) => {
      const place = { cardId, number: i + 1, session: i + 1, from: 1000 + i, to: 1000 + i };
      const spent = BigInt(OCTETS * (i + 1));
      return signReceipt({ ...place, ...watched, ...money, spent, reason: 'closed' }, mac);
    }),
  );
}

async function measureSeconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
