import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runBilling } from '../../../support/headend/billing/billing-commands.ts';
import { startHeadend } from '../../../support/headend/headend-fixture.ts';
import { ServiceCapture } from '../../../support/headend/service-capture.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { sourceOf } from '../../../support/streams/test-sender.ts';

const DAY = 86_400_000;

test('who is subscribed owes a day that it did not watch, once the month is closed', async () => {
  const clock = new SimulatedClock(Date.UTC(2026, 10, 30, 23));
  const capture = await ServiceCapture.start();
  onTestFinished(() => capture.close());
  const address = `${capture.address}:${capture.port}`;
  const session = { name: 'main', source: 'memory', format: 'data', rate: 800_000, address };
  const delivery = { price: '9.90 USD/period', period: DAY / 1000, settlement: 'invoice' };
  const service = { number: 7, name: 'Harbour', price: { content: { price: 'free' }, delivery }, sessions: [session] };
  const openSource = async () => sourceOf([randomBytes(1000)]);
  await using fixture = await startHeadend([service], { clock, openSource });
  const { directory, port } = fixture;
  const config = join(directory, 'tv.json');
  const places = { listen: `127.0.0.1:${port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
  await writeFile(config, JSON.stringify({ ...places, services: [] }));
  const billing = (...args: string[]) => runBilling(...args, '--config', config);
  await billing('subscribe', 'ann', '--service', '7');
  await billing('subscribe', 'bo', '--service', '7');
  await billing('unsubscribe', 'bo', '--service', '7');
  await expect(billing('unsubscribe', 'bo', '--service', '7')).rejects.toThrow('bo has no subscription of service 7');
  await expect(billing('subscribe', 'ann', '--service', '8')).rejects.toThrow('service 8 is not sold here');
  const since = 'since 2026-11-30T23:00:00Z';
  const told = (user: string) =>
    `subscription of ${user}: service 7, delivery, 9.90 USD for 86400 s, of the user, ${since}`;
  expect(await billing('subscriptions')).toBe(`${told('ann')}\n${told('bo')} until 2026-11-30T23:00:00Z\n`);
  expect(await billing('subscriptions', '--user', 'bo', '--service', '7')).toMatch(/^subscription of bo: [^\n]*\n$/);
  expect(await billing('subscriptions', '--service', '8')).toBe('nobody is subscribed\n');
  while (clock.now() < Date.UTC(2026, 11, 1)) await clock.advance(600_000);
  await billing('close', '2026-11');
  expect(await billing('report', '--account', 'user:ann')).toContain('debit  9.90 USD');
  const [, id = ''] = /^(\d+),1,.*period-fee/m.exec(await billing('export', '--account', 'user:ann')) ?? [];
  expect(await billing('explain', id)).toContain(`  9.90 USD from revenue:7 to user:ann\n${told('ann')}\n`);
  expect((await fixture.ask('GET', '/v1/operator/billing/subscriptions')).status).toBe(401);
  for (const path of ['7/ann', '7/bo']) {
    expect((await fixture.ask('PUT', `/v1/operator/billing/subscriptions/${path}`)).status).toBe(401);
  }
});
