import { pino } from 'pino';
import { expect, test } from 'vitest';
import { parseSapPacket } from '../../../../host/contract/announcement/sap-packet.ts';
import { ListChanges } from '../../../../host/headend/announce/list-changes.ts';
import { SapAnnouncer } from '../../../../host/headend/announce/sap-announcer.ts';
import { openUdpReceiver } from '../../../../host/transport/network/udp-receiver.ts';
import { SimulatedClock } from '../../../support/simulated-clock.ts';
import { findFreePort, LOOPBACK } from '../../../support/streams/test-service.ts';

const SESSION = 'a session';

test('a list that changed is announced as a later version at once, and not more than once a second', async () => {
  const clock = new SimulatedClock();
  const start = clock.now() / 1000;
  const plan = { address: '239.255.78.31', port: await findFreePort(), interface: LOOPBACK, interval: 60 };
  const heard: string[] = [];
  const receiver = await openUdpReceiver({
    ...plan,
    coalesce: false,
    onDatagrams: (datagrams) => {
      for (const datagram of datagrams) {
        const { isDeletion, sdp } = parseSapPacket(datagram);
        heard.push(`${isDeletion ? 'no longer ' : ''}${sdp}`);
      }
    },
  });
  const changes = new ListChanges(clock);
  const list = () => [`v=0 ${changes.lastOf(SESSION)}`];
  const announcer = await SapAnnouncer.open(plan, list, { clock, log: pino({ level: 'silent' }), changes });
  const over = new AbortController();
  const running = announcer.run(over.signal);
  const untilHeard = (count: number) => expect.poll(() => heard.length).toBe(count);
  await untilHeard(1);
  await clock.advance(30_000);
  changes.changed({ session: SESSION, at: clock.now(), members: 2 });
  await untilHeard(3);
  const first = start + 30;
  expect(heard).toEqual(['v=0 0', 'no longer v=0 0', `v=0 ${first}`]);
  await clock.advance(400);
  changes.changed({ session: SESSION, at: clock.now(), members: 3 });
  changes.changed({ session: SESSION, at: clock.now() + 700, members: 2 });
  await clock.advance(500);
  expect(heard).toHaveLength(3);
  await clock.advance(200);
  await untilHeard(5);
  expect(heard.at(-1)).toBe(`v=0 ${first + 1}`);
  over.abort();
  await running;
  await receiver.close();
});
