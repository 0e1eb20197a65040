import { expect, test } from 'vitest';
import { type HeadendFixture, readJson, startHeadend } from '../../support/headend/headend-fixture.ts';
import { SoftViewer } from '../../support/headend/soft-viewer.ts';
import { sourceOf } from '../../support/streams/test-sender.ts';

const VIEWERS = 1000;
/** Connections at a time. */
const AT_ONCE = 40;
/** us. */
const MINUTE = 60_000_000;
const SESSION = { name: 'main', source: 'memory', format: 'data', rate: 10_000, address: '239.255.7.8:40980' };
const SERVICE = {
  number: 7,
  name: 'Harbour',
  price: { content: { price: '5.00 USD/h', settlement: 'invoice' } },
  sessions: [SESSION],
};

async function countMembers(fixture: HeadendFixture): Promise<number> {
  const path = `/v1/operator/services/${SERVICE.number}/sessions/${SESSION.name}/members`;
  const { members } = readJson(await fixture.askOperator('GET', path)) as { members: unknown[] };
  return members.length;
}

test('1,000 viewers join one head-end within a minute of its work, each with keys of its own that it confirms', async () => {
  await using fixture = await startHeadend([SERVICE], {
    openSource: async () => sourceOf([new Uint8Array(1_000_000)]),
  });
  const viewers: SoftViewer[] = [];
  for (let serial = 1; serial <= VIEWERS; serial++) viewers.push(await SoftViewer.start(serial, 0n));
  const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
  const waiting = [...viewers];
  const outcomes: unknown[] = [];
  const before = process.cpuUsage();
  const joinInTurn = async (): Promise<void> => {
    for (let viewer = waiting.pop(); viewer !== undefined; viewer = waiting.pop()) {
      const now = Math.floor(Date.now() / 1000);
      const asked = { service: SERVICE.number, offer: offers[0]!.id, from: now, to: now + 3600 };
      const answer = await viewer.request(fixture, 'join', asked);
      outcomes.push(typeof answer === 'string' ? answer : answer.outcome);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, joinInTurn));
  // Their own work is in it, too; a machine with other work takes longer by the clock.
  const { user, system } = process.cpuUsage(before);
  expect(user + system).toBeLessThan(MINUTE);
  expect(outcomes.filter((outcome) => outcome === 'joined')).toHaveLength(VIEWERS);
  expect(await countMembers(fixture)).toBe(VIEWERS);
  await Promise.all(viewers.map((viewer) => viewer.close()));
}, 120_000);
