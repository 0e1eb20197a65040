import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { numberIn, RunnerProcess } from '../../../card-sim/simulator/runner-process.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';
import { WORK } from '../../bench/card/card-cost.ts';
import { LARGEST_WRITE, RAM_OCTETS, ramOf } from '../../bench/card/card-memory.ts';
import { sealCardParts, fillCard } from '../../bench/card/ready-card.ts';
import { sealContent, signOrder, sealSegment, SERVICE, sealService } from '../../conformance/messages/messages.ts';
import { sealTreeLeaf, sealSeedParts } from '../../conformance/messages/purchase-messages.ts';

/** What the cost model and `firmware-notes/real-cards.md` say of the applet, counted on the applet. */

let runner: RunnerProcess;
let channel: CardChannel;
let module: DecodeModule;
let card: number;

beforeAll(async () => {
  // As small as the smallest card that the applet is for.
  const spec = 'tcp=0,ram=1500,commit=384';
  runner = await RunnerProcess.start(spec);
  const { id, tcp } = await runner.add(spec);
  card = id;
  channel = await openCard(`tcp:127.0.0.1:${tcp}`);
  await fillCard(channel);
  module = new DecodeModule(channel);
  await module.select();
});

afterAll(async () => {
  await channel.close();
  await runner.ask({ do: 'remove', card });
});

/** What some commands cost the card. */
async function counted(work: () => Promise<unknown>) {
  await runner.ask({ do: 'resetCounts', card });
  await work();
  const counts = await runner.ask({ do: 'counts', card });
  return {
    apdus: numberIn(counts, 'commands'),
    writes: numberIn(counts, 'persistentWrites'),
    octets: numberIn(counts, 'persistentOctets'),
    inits: numberIn(counts, 'cipherInits'),
    keys: numberIn(counts, 'keySets'),
  };
}

const IN_RAM = { writes: 0, octets: 0 };

test('transient memory is as the page has it, made at installation and never after', async () => {
  const info = await runner.ask({ do: 'info', card });
  expect(numberIn(info, 'ramOctets')).toBe(RAM_OCTETS);
  expect(numberIn(info, 'ramDeselectOctets')).toBe(ramOf('deselect'));
});

test('on a chip without AES-CBC-MAC it is 80 octets more', async () => {
  const { id } = await runner.add('tcp=0,ram=1500,commit=384,mac=0');
  const info = await runner.ask({ do: 'info', card: id });
  expect(numberIn(info, 'ramOctets')).toBe(RAM_OCTETS + 80);
  expect(numberIn(info, 'ramDeselectOctets')).toBe(ramOf('deselect') + 80);
  await runner.ask({ do: 'remove', card: id });
});

test('a slot change is two APDUs and writes nothing', async () => {
  const { inits, keys } = WORK.segmentKey;
  expect(await counted(() => module.loadKey(sealSegment()))).toEqual({ ...IN_RAM, apdus: 1, inits, keys });
  const content = await counted(() => module.loadKey(sealContent({ price: 1000n })));
  expect(content).toEqual({ ...IN_RAM, apdus: 1, inits: WORK.contentKey.inits, keys: WORK.contentKey.keys });
  expect(sealSegment()).toHaveLength(WORK.segmentKey.up);
  expect(sealContent()).toHaveLength(WORK.contentKey.up);
});

test('a DECODE initialises nothing and writes nothing, a take writes one record, a CLOSE a receipt and a record', async () => {
  await module.openSession(SERVICE);
  const [first, second, ...more] = sealCardParts(1, 8);
  const nothing = { ...IN_RAM, apdus: 1, inits: 0, keys: 0 };
  expect(await counted(() => module.decode(first!))).toEqual({ ...nothing, writes: 1, octets: LARGEST_WRITE });
  expect(await counted(() => module.decode(second!))).toEqual(nothing);
  // 131,600 octets a group and a take for each MB: the eighth group is the first after it.
  const rest = await counted(async () => {
    for (const part of more) await module.decode(part);
  });
  expect(rest).toEqual({ ...nothing, apdus: 6, writes: 1, octets: LARGEST_WRITE });
  const close = await counted(() => module.closeSession());
  expect(close).toMatchObject({ apdus: 1, writes: 2, octets: LARGEST_WRITE + 112 });
});

test('a load is two APDUs after SELECT, and one record', async () => {
  const start = await counted(() => module.startLoad());
  expect(start).toEqual({ ...IN_RAM, apdus: 1, inits: WORK.startLoad.inits, keys: 0 });
  const load = await counted(() => module.loadCredit(signOrder(2, 1n)));
  expect(load).toEqual({ apdus: 1, writes: WORK.load.records, octets: LARGEST_WRITE, inits: WORK.load.inits, keys: 0 });
});

test('transactions: a purchase with its number, seeds with their part too, a leaf with its number', async () => {
  const transaction = async (message: Uint8Array) => {
    await runner.ask({ do: 'resetCounts', card });
    await module.loadKey(message);
    return runner.ask({ do: 'counts', card });
  };
  await module.deleteKey(KIND.service, SERVICE, 1);
  expect(await transaction(sealService(2))).toMatchObject({ transactions: 1, maxTransactionOctets: 9 });
  const [seeds] = sealSeedParts(3, 0, 8);
  expect(await transaction(seeds!)).toMatchObject({ transactions: 1, maxTransactionOctets: 10 });
  const leaf = sealTreeLeaf(4, { leaf: 2, key: new Uint8Array(16) });
  expect(await transaction(leaf)).toMatchObject({ transactions: 1, maxTransactionOctets: 48 });
});
