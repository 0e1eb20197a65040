import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { generateP256 } from '../../../apdu/decode-module/keys/p256.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { openConfirm } from '../../../apdu/decode-module/requests/confirm.ts';
import { PrivateHalves, UniqueKeys } from '../../../host/headend/keys/grants/card-parents.ts';
import { CardPoints } from '../../../host/headend/keys/grants/card-points.ts';
import type { Purchase } from '../../../host/headend/keys/grants/grant.ts';
import { makeCardPair } from '../../../host/issuer/cards/card-administration.ts';
import { expectRefusal, IssuerDesk, NOVEMBER, UNIT } from '../../support/issuer-desk.ts';

const HEAD_END = generateP256();
const PURCHASE = {
  service: 7,
  keyId: 3,
  key: randomBytes(16),
  from: NOVEMBER,
  to: NOVEMBER + 600,
  ceilings: { perMegabyte: UNIT, perHour: 0n, flat: 0n, groupOctets: 5000, groupDuration: 2000, quantum: UNIT },
};

let desk: IssuerDesk;
let points: CardPoints;
let chosen: string[];

beforeEach(async () => {
  desk = await IssuerDesk.open();
  chosen = [];
  return () => desk.close();
});

/** What a head-end of this issuer gives the card in the reader. */
async function seal(number: number, kind: Purchase['kind'] = KIND.service): Promise<Uint8Array> {
  const unique = await desk.issuer.keys.open('unique');
  const parents = new PrivateHalves({
    others: new UniqueKeys((cardId) => deriveCardKey(unique, 'downlink', cardId)),
    staticKey: HEAD_END.privateKey,
    find: (cardId) => points.find(cardId),
    onChosen: (_cardId, parent, reason) => chosen.push(`${parent}: ${reason}`),
  });
  return parents.seal({ ...PURCHASE, kind, number }, desk.cardId);
}

/** Loads it, and checks the confirm by the key that the issuer gave the card. */
async function load(message: Uint8Array): Promise<void> {
  const confirm = await desk.module.loadKey(message);
  const uplink = await desk.issuer.keys.open('uplink');
  const { number } = openConfirm(confirm!, deriveCardKey(uplink, 'uplink', desk.cardId));
  expect(number).toBe(parseKeyMessage(message).number);
}

describe.for(['soft', 'jcardsim'] as const)('a %s card', (kind) => {
  beforeEach(async () => {
    await desk.insertBlank(kind);
    await desk.makeCard();
    points = await CardPoints.open(desk.issuer.store);
  });

  test('that has made a pair gets its service keys under it, and before that under its unique key', async () => {
    const before = await seal(1);
    expect(parseKeyMessage(before).parentKind).toBe(KIND.unique);
    await load(before);
    const { publicKey } = await makeCardPair(desk.administration, HEAD_END.publicKey, NOVEMBER);
    expect(await desk.module.getPublicKey()).toEqual(publicKey);
    await points.refresh();
    const after = await seal(2);
    expect(parseKeyMessage(after).parentKind).toBe(KIND.cardPair);
    await load(after);
    expect(chosen).toEqual([
      'unique-key: the issuer store has no public half of this card',
      'private-half: the issuer store has the public half that this card made',
    ]);
  });

  test('that has made a pair buys a segment by itself under it, and before that under its unique key', async () => {
    await load(await seal(1, KIND.segment));
    await makeCardPair(desk.administration, HEAD_END.publicKey, NOVEMBER);
    await points.refresh();
    await load(await seal(2, KIND.segment));
    expect(await desk.module.listKeys()).toMatchObject([{ kind: KIND.segment, parentKind: KIND.cardPair, keyId: 3 }]);
  });

  test('that makes another pair takes nothing under the one before, and all under the new one', async () => {
    await makeCardPair(desk.administration, HEAD_END.publicKey, NOVEMBER);
    await points.refresh();
    const old = await seal(1);
    await makeCardPair(desk.administration, HEAD_END.publicKey, NOVEMBER);
    await expectRefusal(desk.module.loadKey(old), 'CRYPTO');
    await points.refresh();
    await load(await seal(2));
  });

  test('whose new pair was not heard of is served under its unique key', async () => {
    await makeCardPair(desk.administration, HEAD_END.publicKey, NOVEMBER);
    desk.channel.fail(INS.GENERATE_KEY_PAIR, 'answer lost');
    await expectRefusal(makeCardPair(desk.administration, HEAD_END.publicKey, NOVEMBER), 'CARD_GONE');
    await desk.reconnect();
    await desk.module.select();
    await points.refresh();
    const message = await seal(1);
    expect(parseKeyMessage(message).parentKind).toBe(KIND.unique);
    await load(message);
  });
});

test('a card without P-256 makes no pair, and is served under its unique key', async () => {
  await desk.insertBlank('jcardsim', { lacks: ['p256'] });
  await desk.makeCard();
  await expectRefusal(makeCardPair(desk.administration, HEAD_END.publicKey, NOVEMBER), 'NO_PAIR');
  points = await CardPoints.open(desk.issuer.store);
  await load(await seal(1));
});
