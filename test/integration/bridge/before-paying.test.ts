import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { CARD_HEADER, CARD_TAG } from '../../../apdu/layout/packets.ts';
import { bridgeTest } from '../../support/streams/bridge-test.ts';
import { makePayloads, personalise, TestService } from '../../support/streams/test-service.ts';

const test = bridgeTest('soft');
const CREDIT = 10_000_000n;
const OCTETS = 10 * 1316;

describe('before paying', () => {
  test('groups that say more than came are not paid and end nothing, whoever sent them', async ({
    card,
    network,
    start,
  }) => {
    const cardId = await personalise(card, 1, CREDIT);
    const service = new TestService({ cards: [cardId] });
    const run = await start(card);
    network.keys(service.keys());
    const { ciphers } = service.schedule.at(service.start);
    const cheat = (packet: Uint8Array, group: number) => {
      const octets = packet.slice();
      const sent = octets.subarray(12, 12 + 24 + 64 + 8);
      // One octet more, under a tag that is right: nobody but the sender can make it.
      sent[6]! += 1;
      const part = new Uint8Array(sent.length + 8);
      part.set(sent.subarray(0, 24));
      part.set(octets.subarray(8, 12), 24);
      part.set(Uint8Array.of(0, 0, group >> 8, group), 28);
      part.set(sent.subarray(24), CARD_HEADER.length);
      sent.set(ciphers.mac.mac(part.subarray(0, -CARD_TAG)).subarray(0, CARD_TAG), sent.length - CARD_TAG);
      return octets;
    };
    const honest = service.seal(makePayloads(10));
    await network.groups(honest);
    await run.until(() => run.bridge.status.groups === 1);
    const before = run.bridge.status.commands;
    for (let round = 0; round < 25; round++) {
      for (const { header, packets } of service.seal(makePayloads(10))) {
        const [first, ...rest] = packets.map(({ octets }) => octets);
        // What a sender's own tag covers, and what anybody can change in a copy.
        const changed = cheat(first!, header.group);
        if (round % 2 === 0) changed[12 + 4] = 0xff;
        await network.media([changed, ...rest]);
      }
      await sleep(100);
    }
    await run.until(() => run.bridge.status.drops.overDeclared === 250);
    expect(run.bridge.status.state).toBe('playing');
    expect(run.notices).toEqual([
      'groups that say more than came are not paid; if nothing plays, ask the operator of the stream',
    ]);
    expect(run.bridge.status.paid).toBe(OCTETS);
    // The purse was looked into, but no group was asked about.
    expect(run.bridge.status.commands - before).toBeLessThanOrEqual(4);
    await network.groups(service.seal(makePayloads(10)));
    await run.until(() => run.bridge.status.groups === 2);
    const { code, bill } = await run.stop();
    expect(code).toBe('STOPPED');
    expect(bill!.amount).toBe(BigInt(OCTETS) / 2n);
  });
});
