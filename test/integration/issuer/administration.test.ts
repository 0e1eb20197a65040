import { beforeEach, describe, expect, test } from 'vitest';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import type { CardKind } from '../../../card-sim/index.ts';
import { setLife, setPin } from '../../../host/issuer/cards/card-administration.ts';
import { expectRefusal, IssuerDesk, UNIT } from '../../support/issuer-desk.ts';

describe.each<CardKind>(['soft', 'jcardsim'])('on %s', (kind) => {
  let desk: IssuerDesk;

  beforeEach(async () => {
    desk = await IssuerDesk.withCard(kind);
    return () => desk.close();
  });

  test('a card is blocked, unblocked and ended', async () => {
    const setTo = (life: 'active' | 'blocked' | 'terminated') => setLife(desk.administration, life);
    const life = async () => (await desk.module.select()).life;
    expect(await setTo('blocked')).toEqual(desk.cardId);
    expect(await life()).toBe('blocked');
    await expectRefusal(desk.load(UNIT), 'NOT_IN_USE');
    await setTo('active');
    await desk.load(UNIT);
    await setTo('terminated');
    expect((await desk.module.getPurse()).balance).toBe(UNIT);
    await expectRefusal(setTo('active'), 'NOT_IN_USE');
  });

  test('a card whose PIN is blocked gets a new one', async () => {
    const pin = (digits: string) => setPin(desk.administration, encodePin(digits));
    await pin('1234');
    await expect(desk.module.verifyPin(encodePin('0000'))).rejects.toMatchObject({ status: 0x63c2 });
    await expect(desk.module.verifyPin(encodePin('0000'))).rejects.toMatchObject({ status: 0x63c1 });
    await expect(desk.module.verifyPin(encodePin('0000'))).rejects.toMatchObject({ status: 0x63c0 });
    await expectRefusal(desk.module.verifyPin(encodePin('1234')), 'PIN_BLOCKED');
    await pin('9876');
    await desk.module.verifyPin(encodePin('9876'));
  });
});
