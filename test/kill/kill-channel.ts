import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { headendDatabase } from '../../host/store/headend/headend-store.ts';
import { SoldChannel } from '../support/headend/sold-channel.ts';
import { findFreePort } from '../support/streams/test-service.ts';
import { Loader, Viewer } from './channel-clients.ts';
import { type ChannelTotals, requireAgreement } from './check-channel.ts';
import { CREDIT, VOUCHER } from './sold-terms.ts';

const VICTIMS = ['head-end', 'watch', 'load'] as const;
/** ms for which a claim of a voucher is waited for. */
const PATIENCE = 30_000;
const STATE = 'state';

/**
 * Kills head-end, watch and load in turn, under load: two cards watch what is paid by purse and by invoice, deliver
 * their receipts, and one is loaded with voucher after voucher meanwhile. Then holds card, receipts, journal, ledger,
 * bills and what was delivered against each other.
 * @param times kills in all.
 * @throws Mismatch when something was lost or doubled.
 */
export async function killChannel(times: number): Promise<ChannelTotals> {
  const price = { content: { price: '0.10 USD/MB' }, delivery: { price: '5.00 USD/h', settlement: 'invoice' } };
  const source = { source: 'clip.data', format: 'data', rate: 200_000, repeat: true };
  const session = { name: 'main', ...source, address: `239.255.78.12:${await findFreePort()}` };
  const service = { number: 7, name: 'Harbour', price, quantum: '0.005 USD', sessions: [session] };
  const begun = Date.now();
  await using channel = await SoldChannel.open(service, { 'clip.data': randomBytes(400_000) }, { loads: true });
  const cards = [await channel.makeCard(1, CREDIT), await channel.makeCard(2, CREDIT)] as const;
  const count = String(20 + 6 * times);
  const made = ['headend', 'voucher', '--amount', VOUCHER, '--count', count, '--config', 'headend.json'];
  const codes = (await channel.tollcast(...made)).trim().split('\n');
  const [first, steady] = cards.map((card) => new Viewer(channel, card)) as [Viewer, Viewer];
  const loader = new Loader(channel, first.card, codes);
  await Promise.all([first.start(), steady.start()]);
  loader.start();
  const database = new DatabaseSync(headendDatabase(join(channel.folder, STATE)), { readOnly: true, timeout: 5000 });
  let cutLoads = 0;
  for (let kill = 0; kill < times; kill++) {
    switch (VICTIMS[kill % VICTIMS.length]!) {
      case 'head-end': {
        await sleep(randomInt(0, 600));
        channel.server.child.kill('SIGKILL');
        await channel.server.ended;
        const delivered = [await first.delivered(), await steady.delivered()] as const;
        await channel.serve();
        await Promise.all([first.waitForMore(delivered[0]), steady.waitForMore(delivered[1])]);
        break;
      }
      case 'watch':
        await sleep(randomInt(0, 600));
        await first.kill();
        await first.start();
        break;
      case 'load':
        if (await isClaimed(database)) cutLoads += 1;
        await sleep(randomInt(0, 60));
        loader.kill();
    }
  }
  await loader.stop();
  await Promise.all([first.leave(), steady.leave()]);
  // The last load gives back what was torn.
  for (const card of cards) {
    const to = ['--head-end', channel.headEnd, '--card', card];
    await channel.tollcast('card', 'deliver-receipts', ...to);
    await channel.tollcast('card', 'load', ...to, '--voucher', codes.at(card === first.card ? -1 : -2)!);
  }
  database.close();
  const delivered = [await first.deliveredInAll(), await steady.deliveredInAll()];
  const vouchers = [loader.loaded + 1, 1];
  const seconds = Math.ceil((Date.now() - begun) / 1000);
  const totals = await requireAgreement(channel, { cards, delivered, vouchers, seconds });
  return { ...totals, cutLoads, failedLoads: loader.failures };
}

/** Waits until one more voucher is claimed, of which nothing is loaded yet. @returns whether one is. */
async function isClaimed(database: DatabaseSync): Promise<boolean> {
  const claimed = database.prepare('select count(*) as n from credit where load_id is not null');
  const before = Number(claimed.get()?.['n']);
  for (const begun = Date.now(); Date.now() - begun < PATIENCE; await sleep(1)) {
    if (Number(claimed.get()?.['n']) > before) return true;
  }
  return false;
}
