import { describe, expect, it } from 'vitest';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { ModuleError, STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { FormatError } from '../../../../apdu/errors.ts';
import { StatusWordError } from '../../../../apdu/iso7816/status-word.ts';
import { SoftCard } from '../../../../card-sim/index.ts';
import { SoftChannel } from '../../../../host/transport/card/soft/soft-channel.ts';
import {
  sealPart,
  sealContent,
  KEYS,
  signOrder,
  PROFILE,
  sealSegment,
  sealService,
  makeSpan,
} from '../../../conformance/messages/messages.ts';
import { activate } from '../../../support/cards/activate.ts';

async function playing(): Promise<DecodeModule> {
  const channel = new SoftChannel(new SoftCard());
  const module = new DecodeModule(channel);
  await module.select();
  await activate(channel, PROFILE, KEYS);
  await module.loadCredit(signOrder(1, 10_000_000n));
  await module.loadKey(sealService(1));
  await module.loadKey(sealSegment());
  await module.loadKey(sealContent());
  await module.openSession(7);
  return module;
}

function answering(...answers: number[][]): DecodeModule {
  const channel: CardChannel = {
    atr: new Uint8Array(0),
    transmit: async () => Uint8Array.from(answers.shift() ?? []),
    close: async () => {},
  };
  return new DecodeModule(channel);
}

describe('decode module', () => {
  it('names every status word of the page and what to do; any other is a defect', async () => {
    for (const [code, status] of Object.entries(STATUS)) {
      if (status === STATUS.DONE || status === STATUS.MORE) continue;
      const error = await answering([status >>> 8, status & 255])
        .decode(sealPart(1))
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ModuleError);
      expect(error).toBeInstanceOf(StatusWordError);
      expect(error).toMatchObject({ code, status });
      expect((error as Error).message).toMatch(/^the card answered [0-9A-F]{4} to DECODE: .+; .+$/);
    }
    await expect(answering([0x6f, 0x00]).getPurse()).rejects.toMatchObject({ code: 'DEFECT', status: 0x6f00 });
    await expect(answering([0x90, 0x01]).closeSession()).rejects.toMatchObject({ code: 'DEFECT', status: 0x9001 });
    await expect(answering([0x94, 0x01]).decode(sealPart(1))).rejects.toThrow(/not enough credit.*; load credit/);
  });

  it('decodes, charges and settles', async () => {
    const module = await playing();
    expect(await module.decode(sealPart(1))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
    expect((await module.getPurse()).used).toBe(3_290n);
    expect(await module.closeSession()).toMatchObject({ number: 1, amount: 3_290n, reason: 'closed' });
    expect(await module.getReceipt()).toHaveLength(112);
    await expect(module.getReceipt(2)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('fetches a list of several answers whole, also when other commands are called meanwhile', async () => {
    const module = await playing();
    for (let number = 2; number <= 16; number++)
      await module.loadKey(sealService(number, {}, { service: number + 10 }));
    const asked = [
      module.getPurse(),
      module.listKeys(),
      module.decode(sealPart(1)),
      module.listKeys(),
      module.getPurse(),
    ];
    const [, first, , second] = await Promise.all(asked);
    expect(first).toHaveLength(18);
    expect(second).toEqual(first);
    await module.deleteKey(0x10, 12, 1);
    expect(await module.listKeys()).toHaveLength(17);
  });

  it('goes on after a list that failed', async () => {
    const module = answering([0x69, 0x85], [0x90, 0x00]);
    const list = module.listKeys();
    const close = module.closeSession();
    await expect(list).rejects.toMatchObject({ code: 'NOT_NOW' });
    expect(await close).toBeUndefined();
  });

  it('refuses answers that cannot be read', async () => {
    await expect(answering([0x6f, 0x90, 0x00]).select()).rejects.toThrow(FormatError);
    await expect(answering([1, 2, 3, 0x90, 0x00]).getPurse()).rejects.toThrow(FormatError);
    await expect(answering([1, 0x90, 0x00]).closeSession()).rejects.toThrow(FormatError);
    await expect(answering([1, 0x90, 0x00]).listKeys()).rejects.toThrow(FormatError);
  });
});
