import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeCardId, encodeCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { DGI, encodeCardProfile } from '../../../apdu/decode-module/personalisation.ts';
import type { ChannelKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { SoftCard } from '../../../card-sim/index.ts';
import { replaceKeys } from '../../../host/issuer/cards/card-administration.ts';
import { personalise } from '../../../host/issuer/cards/personalisation.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';
import { KEYS } from '../../conformance/messages/messages.ts';
import { activate } from '../../support/cards/activate.ts';
import { FaultyChannel, type IssuerFixture, startIssuer } from '../../support/issuer-fixture.ts';

const NOVEMBER = Date.UTC(2026, 10, 5) / 1000;
const PURSE = { currency: 840, maximumBalance: 500_000_000n, maximumUnacknowledged: 500_000_000n };
/** What the issuer's cards come with; nobody else knows it. */
const INSTALLED: ChannelKeySet = {
  version: 1,
  enc: new Uint8Array(16).fill(0x51),
  mac: new Uint8Array(16).fill(0x52),
  dek: new Uint8Array(16).fill(0x53),
};

let issuer: IssuerFixture;

beforeEach(async () => {
  issuer = await startIssuer(0x0a1b2c);
});

afterEach(() => issuer.close());

function insert(installed: ChannelKeySet): FaultyChannel {
  return new FaultyChannel(new SoftChannel(new SoftCard(undefined, installed)));
}

function make(channel: FaultyChannel, moduleClass: 'card' | 'soft', installed: ChannelKeySet): Promise<Uint8Array> {
  return personalise({ ...issuer, channel, installed, now: NOVEMBER }, { ...PURSE, moduleClass });
}

/** A blank module with the keys that everybody knows, which says that it is this card. */
async function pretend(cardId: Uint8Array): Promise<FaultyChannel> {
  const channel = insert(TEST_KEY_SET);
  await new DecodeModule(channel).select();
  const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await secure.storeData(DGI.profile, encodeCardProfile({ ...PURSE, cardId }), false);
  channel.sent.length = 0;
  return channel;
}

/** Instructions of the commands that the module got. */
function got({ sent }: FaultyChannel): number[] {
  return sent.map((command) => command[1]!);
}

describe('a blank module that claims to be a card', () => {
  test.each(['soft', 'card'] as const)('that was issued as %s before gets no key of that card', async (moduleClass) => {
    const cardId = await make(insert(INSTALLED), moduleClass, INSTALLED);
    for (const wanted of ['soft', 'card'] as const) {
      const channel = await pretend(cardId);
      const code = wanted === moduleClass ? 'CHANNEL_KEYS' : 'NOT_BLANK';
      await expect(make(channel, wanted, TEST_KEY_SET)).rejects.toMatchObject({ code });
      expect(got(channel)).not.toContain(INS.PUT_KEY);
      expect(got(channel)).not.toContain(INS.STORE_DATA);
    }
  });

  test('that another issuer has begun to personalise is left to that issuer', async () => {
    const cardId = encodeCardId({ issuer: 0x99_9999, moduleClass: 'card', serial: 1 });
    const channel = await pretend(cardId);
    await expect(make(channel, 'card', TEST_KEY_SET)).rejects.toMatchObject({ code: 'NOT_BLANK' });
    expect(got(channel)).toEqual([INS.SELECT]);
    expect((await new DecodeModule(channel).select()).cardId).toEqual(cardId);
    // Nor is a card id of our own spent on it.
    expect(decodeCardId(await make(insert(INSTALLED), 'card', INSTALLED)).serial).toBe(NOVEMBER);
  });

  test('of a card pulled while its keys were on their way gets none either; that card itself does', async () => {
    const channel = insert(INSTALLED);
    channel.fail(INS.STORE_DATA, 'command lost', 1);
    await expect(make(channel, 'card', INSTALLED)).rejects.toMatchObject({ code: 'CARD_GONE' });
    const { cardId } = await new DecodeModule(channel).select();
    await expect(make(await pretend(cardId), 'card', TEST_KEY_SET)).rejects.toMatchObject({ code: 'CHANNEL_KEYS' });
    expect(await make(channel, 'card', INSTALLED)).toEqual(cardId);
  });

  test('gets no channel keys of that card under the keys that everybody knows', async () => {
    const cardId = await make(insert(INSTALLED), 'card', INSTALLED);
    const channel = insert(TEST_KEY_SET);
    await new DecodeModule(channel).select();
    await activate(channel, encodeCardProfile({ ...PURSE, cardId }), KEYS);
    channel.sent.length = 0;
    const on = { channel, keys: issuer.keys, accounts: issuer.accounts, installed: TEST_KEY_SET };
    await expect(replaceKeys(on)).rejects.toMatchObject({ code: 'CHANNEL_KEYS' });
    expect(got(channel)).not.toContain(INS.PUT_KEY);
  });
});
