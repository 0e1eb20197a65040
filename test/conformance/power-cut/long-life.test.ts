import { describe, expect, it } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { openReceipt, RECEIPT_RING } from '../../../apdu/decode-module/money/receipt.ts';
import { startCard } from '../../../card-sim/index.ts';
import { activate } from '../../support/cards/activate.ts';
import {
  signAcknowledgementUpTo,
  CARD_KEYS,
  sealPart,
  sealContent,
  KEYS,
  signOrder,
  PROFILE,
  sealSegment,
  SERVICE,
  sealService,
} from '../messages/messages.ts';

const SESSIONS = 300;

/** Longer than the vectors are: counters beyond one octet, rings that went round many times. */
describe.each(['soft', 'jcardsim'] as const)('a long life on %s', (kind) => {
  it('keeps the newest receipts and records, and no older ones, over hundreds of sessions', async () => {
    await using card = await startCard({ kind });
    const channel = await card.channel();
    const module = new DecodeModule(channel);
    await module.select();
    await activate(channel, PROFILE, KEYS);
    await module.loadCredit(signOrder(1, 100_000_000n));
    await module.loadKey(sealService(1));
    await module.loadKey(sealSegment());
    await module.loadKey(sealContent());
    for (let session = 1; session <= SESSIONS; session++) {
      await module.openSession(SERVICE);
      await module.decode(sealPart(session, { octets: 1000 }));
      await module.closeSession();
      if (session % 20 === 0) await module.acknowledgeReceipts(signAcknowledgementUpTo(session));
      for (const gone of [1, session - RECEIPT_RING]) {
        if (gone >= 1 && gone <= session - RECEIPT_RING) {
          await expect(module.getReceipt(gone)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        }
      }
      const oldest = Math.max(1, session - RECEIPT_RING + 1);
      for (const number of [oldest, session]) {
        const receipt = openReceipt(await module.getReceipt(number), CARD_KEYS.receipt);
        expect(receipt).toMatchObject({ number, session: number, spent: 250n * BigInt(number) });
      }
      // One record each for personalisation and load; for each session one for the take, one for the close; one for
      // each acknowledgement.
      const sequence = 2 + 2 * session + Math.floor(session / 20);
      expect((await module.getLog(0)).sequence).toBe(sequence);
      if (sequence >= 64) expect((await module.getLog(63)).sequence).toBe(sequence - 63);
    }
  }, 120_000);
});
