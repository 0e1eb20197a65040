import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CardChannel } from '../../apdu/card-channel.ts';
import { encodeCardId } from '../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { encodeCeilings } from '../../apdu/decode-module/keys/ceilings.ts';
import { keyBodyLength } from '../../apdu/decode-module/keys/key-message.ts';
import { isPoint } from '../../apdu/decode-module/keys/p256.ts';
import { sealUnderCardPair, sealUnderServicePair } from '../../apdu/decode-module/keys/public-key-parent.ts';
import { sealServicePair } from '../../apdu/decode-module/keys/service-pair.ts';
import { type KeyKind, KIND } from '../../apdu/decode-module/kinds.ts';
import { DGI, encodeCardKeys, encodeCardProfile } from '../../apdu/decode-module/personalisation.ts';
import { openConfirm } from '../../apdu/decode-module/requests/confirm.ts';
import { hasCapability } from '../../apdu/decode-module/select-answer.ts';
import { openSecureChannel } from '../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import { CARD_KINDS, type SimulatedCard, startCard } from '../../card-sim/index.ts';
import { activate } from '../support/cards/activate.ts';
import { loadRefused } from '../support/refusal.ts';
import {
  CARD_KEYS,
  sealPart,
  CEILINGS,
  CONTENT_KEY_ID,
  encodeContent,
  sealContent,
  END,
  makeFixedKey,
  findKey,
  KEYS,
  PROFILE,
  sealSegment,
  SERIAL,
  SERVICE,
  SERVICE_KEY_ID,
  sealService,
  makeSpan,
  START,
  USD,
} from './messages/messages.ts';
import {
  sealContentUnderPair,
  HEAD_END,
  sealPairPurchase,
  SERVICE_PAIR,
  SERVICE_PAIR_ID,
  sealUnderPair,
} from './messages/pair-messages.ts';
import { sealTreeLeaf } from './messages/purchase-messages.ts';

/** A card's own pair is never the same twice: what it opens is compared here, not its octets. */

const FREE = { kind: 'free' } as const;
const CEILINGS_BODY = encodeCeilings(CEILINGS);
const SENDER = { staticKey: HEAD_END.privateKey };

/** One card in use: plain, and through the secure channel. */
interface Hands {
  readonly module: DecodeModule;
  readonly secure: DecodeModule;
}

/** Makes a blank card active and gives it the head-end's point. */
async function makeReady(channel: CardChannel, profile = PROFILE, keys = KEYS): Promise<Hands> {
  const module = new DecodeModule(channel);
  await module.select();
  await activate(channel, profile, keys);
  const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
  await secure.storeData(DGI.headEnd, HEAD_END.publicKey, false);
  return { module, secure };
}

describe.each(CARD_KINDS)('the own pair of %s', (kind) => {
  let card: SimulatedCard;
  let channel: CardChannel;
  let module: DecodeModule;
  let secure: DecodeModule;
  let publicKey: Uint8Array;

  beforeAll(async () => {
    card = await startCard({ kind });
    channel = await card.channel();
  });

  beforeEach(async () => {
    await card.erase();
    ({ module, secure } = await makeReady(channel));
    publicKey = await secure.generateKeyPair();
  });

  afterAll(async () => {
    await channel.close();
    await card.close();
  });

  function under(childKind: KeyKind, number: number, options: Parameters<typeof sealUnderPair>[2] = {}): Uint8Array {
    const body =
      childKind === KIND.content || childKind === KIND.blind
        ? encodeContent(FREE)
        : childKind === KIND.seeds
          ? new Uint8Array(64)
          : CEILINGS_BODY.subarray(0, keyBodyLength(childKind, KIND.cardPair));
    return sealUnderPair(childKind, body, { parentKind: KIND.cardPair, publicKey, number, keyId: number, ...options });
  }

  it('is a point of the curve, stays over a reset, and GET DATA answers it', async () => {
    expect(isPoint(publicKey)).toBe(true);
    expect(await module.getPublicKey()).toEqual(publicKey);
    await card.reset();
    const answer = await module.select();
    expect(hasCapability(answer, 'p256')).toBe(true);
    expect(await module.getPublicKey()).toEqual(publicKey);
  });

  it('carries what the unique key does but for seeds, each confirmed; nothing else', async () => {
    const right = [KIND.service, KIND.segment, KIND.node, KIND.servicePair];
    const lengths = [160, 160, 128, 176];
    let number = 10;
    for (const childKind of right) {
      const message = under(childKind, ++number);
      expect(message).toHaveLength(lengths[right.indexOf(childKind)]!);
      expect(await loadRefused(module, message.with(50, message[50]! ^ 1))).toBe('CRYPTO');
      expect(await loadRefused(module, message.with(message.length - 20, message[message.length - 20]! ^ 1))).toBe(
        'CRYPTO',
      );
      expect(await loadRefused(module, message.subarray(0, message.length - 1))).toBe('CRYPTO');
      const confirm = (await module.loadKey(message))!;
      expect(openConfirm(confirm, CARD_KEYS.uplink)).toMatchObject({ service: SERVICE, keyId: number, number });
      expect(await module.loadKey(message)).toEqual(confirm);
    }
    for (const childKind of [KIND.content, KIND.blind] as const) {
      expect(await loadRefused(module, under(childKind, ++number))).toBe('WRONG_PARENT');
    }
    // Longer than a short command.
    expect(under(KIND.seeds, ++number)).toHaveLength(304);
    const list = await module.listKeys();
    expect(list.map((entry) => [entry.kind, entry.parentKind])).toEqual([
      [KIND.service, KIND.cardPair],
      [KIND.segment, KIND.cardPair],
      [KIND.servicePair, KIND.cardPair],
      [KIND.node, KIND.cardPair],
    ]);
  });

  it('brings keys that play', async () => {
    await module.loadKey(under(KIND.service, 1, { keyId: SERVICE_KEY_ID }));
    await module.loadKey(sealSegment());
    await module.loadKey(sealContent(FREE));
    await module.openSession(SERVICE);
    expect(await module.decode(sealPart(1))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
  });

  it('has one window of numbers with the unique key', async () => {
    await module.loadKey(sealService(40));
    expect(await loadRefused(module, under(KIND.service, 40))).toBe('OLD_NUMBER');
    expect(await loadRefused(module, under(KIND.service, 8))).toBe('OLD_NUMBER');
    await module.loadKey(under(KIND.service, 41));
    expect(await loadRefused(module, sealTreeLeaf(41, { leaf: 2, key: makeFixedKey('leaf') }))).toBe('OLD_NUMBER');
    // A purchase again, by the other way: what it brought is still here.
    await module.loadKey(under(KIND.service, 40, { keyId: SERVICE_KEY_ID }));
  });

  it('is of this card alone, and only the head-end writes to it', async () => {
    expect(await loadRefused(module, under(KIND.service, 1, { serial: SERIAL + 1 }))).toBe('UNKNOWN_KEY');
    expect(await loadRefused(module, under(KIND.service, 1, { staticKey: SERVICE_PAIR.privateKey }))).toBe('CRYPTO');
    expect(await loadRefused(module, under(KIND.service, 1, { publicKey: SERVICE_PAIR.publicKey }))).toBe('CRYPTO');
    expect(await loadRefused(module, under(KIND.service, 1))).toBe('');
  });

  it('is replaced by the next one, whole and at once', async () => {
    const old = under(KIND.service, 1);
    const seen = new Set([publicKey.join()]);
    for (let i = 0; i < 3; i++) {
      publicKey = await secure.generateKeyPair();
      seen.add(publicKey.join());
      expect(await secure.getPublicKey()).toEqual(publicKey);
      expect(await loadRefused(module, old)).toBe('CRYPTO');
      expect(await loadRefused(module, under(KIND.service, 2 + i))).toBe('');
    }
    expect(seen.size).toBe(4);
  });

  it('brings a private half to a card that shares no secret with the sender, and what is sent once opens', async () => {
    const purchase = {
      service: SERVICE,
      keyId: SERVICE_PAIR_ID,
      from: START,
      to: END,
      number: 1,
      ceilings: CEILINGS,
      privateKey: SERVICE_PAIR.privateKey,
    };
    await module.loadKey(sealServicePair(purchase, { serial: SERIAL, publicKey, sender: SENDER }).octets);
    await module.loadKey(sealContentUnderPair(FREE));
    await module.openSession(SERVICE);
    expect(await module.decode(sealPart(1))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
  });

  it('takes a new ephemeral pair for each message unless told', async () => {
    const header = { kind: KIND.service, service: SERVICE, keyId: 1, from: START, to: END, number: 1 } as const;
    const key = findKey(KIND.service, SERVICE, 1);
    const seal = (): Uint8Array => sealUnderCardPair(header, key, CEILINGS_BODY, SERIAL, publicKey, SENDER).octets;
    const [first, second] = [seal(), seal()];
    expect(first.subarray(80, 144)).not.toEqual(second.subarray(80, 144));
    await module.loadKey(first);
    await module.loadKey(second);
  });
});

describe.each(CARD_KINDS)('a service’s pair on two cards of %s', (kind) => {
  it('opens on both what was encrypted once', async () => {
    await using first = await startCard({ kind });
    await using second = await startCard({ kind: kind === 'pcsc' ? 'jcardsim' : kind });
    const header = {
      kind: KIND.content,
      service: SERVICE,
      keyId: CONTENT_KEY_ID,
      from: START,
      to: END,
      number: 0,
    } as const;
    const key = findKey(KIND.content, SERVICE, CONTENT_KEY_ID);
    const content = sealUnderServicePair(
      header,
      key,
      encodeContent(FREE),
      SERVICE_PAIR_ID,
      SERVICE_PAIR.publicKey,
      SENDER,
    ).octets;
    const part = sealPart(1);
    for (const [serial, card] of [first, second].entries()) {
      const name = { issuer: 0x0a1b2c, moduleClass: kind === 'soft' ? 'soft' : 'card', serial } as const;
      const profile = encodeCardProfile({
        cardId: encodeCardId(name),
        currency: USD,
        maximumBalance: 1n,
        maximumUnacknowledged: 1n,
      });
      const downlinkKey = makeFixedKey(`downlink ${serial}`);
      const { module } = await makeReady(
        await card.channel(),
        profile,
        encodeCardKeys({ ...CARD_KEYS, downlink: downlinkKey }),
      );
      const purchase = {
        service: SERVICE,
        keyId: SERVICE_PAIR_ID,
        from: START,
        to: END,
        number: 1,
        ceilings: CEILINGS,
        privateKey: SERVICE_PAIR.privateKey,
      };
      await module.loadKey(sealServicePair(purchase, { serial, downlinkKey }).octets);
      await module.loadKey(content);
      await module.openSession(SERVICE);
      expect(await module.decode(part)).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
    }
  });
});

describe.each(['soft', 'jcardsim'] as const)('a card file of %s', (kind) => {
  it('keeps the own pair, the head-end’s point and private halves', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tollcast-key-pairs-'));
    try {
      const state = join(folder, 'card');
      let publicKey: Uint8Array;
      {
        await using card = await startCard({ kind, state });
        const { module, secure } = await makeReady(await card.channel());
        publicKey = await secure.generateKeyPair();
        await module.loadKey(sealPairPurchase(2));
      }
      await using card = await startCard({ kind, state });
      const module = new DecodeModule(await card.channel());
      await module.select();
      expect(await module.getPublicKey()).toEqual(publicKey);
      const options = { parentKind: KIND.cardPair, publicKey, number: 3, keyId: 3 } as const;
      expect(await loadRefused(module, sealUnderPair(KIND.service, CEILINGS_BODY, options))).toBe('');
      await module.loadKey(sealContentUnderPair(FREE));
      await module.openSession(SERVICE);
      expect(await module.decode(sealPart(1))).toEqual(makeSpan({ group: 1, spanBlocks: 4 }));
      const secure = new DecodeModule(await openSecureChannel(await reopen(card), TEST_KEY_SET));
      expect(await secure.generateKeyPair()).not.toEqual(publicKey);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

async function reopen(card: SimulatedCard): Promise<CardChannel> {
  const channel = await card.channel();
  await new DecodeModule(channel).select();
  return channel;
}
