import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { computeCharge } from '../../../../host/headend/charging/bill.ts';
import type { ChargeTerms } from '../../../../host/headend/charging/charge-terms.ts';
import { applyScheme } from '../../../../host/headend/charging/schemes/known-schemes.ts';
import { loadSchemes } from '../../../../host/headend/roles/money/load-schemes.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SoldChannel, waitFor } from '../../../support/headend/sold-channel.ts';

/** A scheme of an operator: a tenth is billed. */
const TENTH = 'export const chargeTenth = ({ charge }: { charge: bigint }): bigint => charge / 10n;\n';
const SHIPPED = join(import.meta.dirname, '../../../../scripts/half-at-night.ts');
const HOURLY = { tariff: { kind: 'duration', price: 3_600_000_000n } } as ChargeTerms;

interface Item {
  readonly part: string;
  readonly charge: string;
}

interface BillRow {
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly items: readonly Item[];
}

let channel: SoldChannel;
let capture: ServiceCapture;

beforeAll(async () => {
  capture = await ServiceCapture.start({ reuseAddr: true });
  const address = `${capture.address}:${capture.port}`;
  const session = { name: 'main', source: 'clip.data', format: 'data', rate: 200_000, repeat: true, address };
  const component = { price: '3600 USD/h', settlement: 'invoice' };
  const price = {
    content: { ...component, scheme: 'tenth' },
    delivery: { ...component, scheme: 'half-at-night' },
  };
  const schemes = {
    tenth: { file: 'tenth.ts', function: 'chargeTenth' },
    'half-at-night': { file: SHIPPED, function: 'chargeHalfAtNight' },
  };
  const files = { 'clip.data': Buffer.alloc(100_000, 7), 'tenth.ts': Buffer.from(TENTH) };
  channel = await SoldChannel.open({ number: 7, name: 'Harbour', price, sessions: [session] }, files, { schemes });
  await channel.makeCard(1);
}, 120_000);

afterAll(async () => {
  await channel.close();
  await capture.close();
});

test("schemes of one's own, which the configuration names, say what a watch is billed", async () => {
  const at = ['--head-end', channel.headEnd, '--card', 'soft:card-1', '--out', 'udp://127.0.0.1:9'];
  const watching = channel.start('watch', 'Harbour', ...at, '--yes');
  await waitFor(watching.said, () => (watching.said().includes('first plaintext') ? true : undefined));
  watching.child.kill('SIGINT');
  await watching.ended;
  const [bill] = await waitFor(
    () => 'a bill',
    async () => {
      const bills = (await channel.operate('bills'))['bills'] as BillRow[];
      return bills.length === 0 ? undefined : bills;
    },
  );
  const { from, to, seconds } = bill!;
  const charge = computeCharge(HOURLY, seconds, 0n);
  const connection = { user: 'ann', session: 's', service: 7, from, to, seconds, octets: 0n };
  await loadSchemes([{ name: 'half-at-night', file: SHIPPED, functionName: 'chargeHalfAtNight' }]);
  const night = applyScheme('half-at-night', { ...connection, tariff: HOURLY.tariff, charge });
  const amountOf = (wanted: string) => {
    const [units = '', rest = ''] = bill!.items
      .find(({ part }) => part === wanted)!
      .charge.split(' ')[0]!
      .split('.');
    return BigInt(units) * 1_000_000n + BigInt(rest.padEnd(6, '0'));
  };
  expect(charge).toBe(BigInt(seconds) * 1_000_000n);
  expect(amountOf('content')).toBe(charge / 10n);
  expect(amountOf('delivery')).toBe(night);
}, 60_000);
