/** A request desk in a process of its own, for tests that kill it: octets in, replies out. */
import { systemClock } from '../../../host/clock/clock.ts';
import { StoreBilling } from '../../../host/headend/charging/store-billing.ts';
import type { Reply } from '../../../host/headend/requests/reply.ts';
import { RequestDesk } from '../../../host/headend/requests/request-desk.ts';
import { GroupWriter } from '../../../host/store/group-writer.ts';
import { headendDatabase, openHeadendStore } from '../../../host/store/headend/headend-store.ts';
import { HandKeys, ISSUER, SOLD, UPLINK_MASTER } from './request-desk-fixture.ts';

export interface DeskQuestion {
  readonly id: number;
  readonly octets: Uint8Array;
}

export type DeskReply = { readonly id: number; readonly reply: Reply } | 'ready';

const [directory] = process.argv.slice(2);
if (directory !== undefined && process.send !== undefined) await serve(directory, process.send.bind(process));

async function serve(path: string, send: (message: DeskReply) => void): Promise<void> {
  const store = await openHeadendStore(path);
  const writer = new GroupWriter(headendDatabase(path));
  const desk = await RequestDesk.open({
    store,
    writer,
    masters: new Map([[ISSUER, UPLINK_MASTER]]),
    offers: { find: () => ({ ...SOLD, from: 0, to: 2 ** 32 - 1 }), isBilledByLog: () => false },
    keys: new HandKeys(),
    charging: { mode: 'direct', billing: new StoreBilling(writer) },
    clock: systemClock,
  });
  process.on('message', ({ id, octets }: DeskQuestion) => {
    void desk.answer(octets).then((reply) => send({ id, reply }));
  });
  send('ready');
}
