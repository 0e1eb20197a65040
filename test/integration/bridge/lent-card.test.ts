import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { encodeCardLimits, NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { type CardKind, type SimulatedCard, startCard } from '../../../card-sim/index.ts';
import { readPurseLog } from '../../../host/holder/purse-log.ts';
import { createCardOpener, openCard } from '../../../host/transport/card/card-address.ts';
import { type BridgeRun, startBridge } from '../../support/streams/bridge-run.ts';
import { loadCredit, makePayloads, personalise, TestNetwork, TestService } from '../../support/streams/test-service.ts';

const CREDIT = 10_000_000n;
const PIN = encodePin('1234');

let folder: string;
let network: TestNetwork;
let card: SimulatedCard | undefined;
let run: BridgeRun | undefined;
let feeding: NodeJS.Timeout | undefined;
const peers: CardChannel[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-lent-'));
  process.env['XDG_RUNTIME_DIR'] = folder;
  network = await TestNetwork.open();
});

afterEach(async () => {
  clearInterval(feeding);
  for (const peer of peers.splice(0)) await peer.close();
  await run?.stop().catch(() => undefined);
  run = undefined;
  await card?.close();
  card = undefined;
  await network.close();
  delete process.env['XDG_RUNTIME_DIR'];
  await rm(folder, { recursive: true, force: true });
});

/** A card at an address, as a user has it. */
async function makeCard(kind: CardKind): Promise<{ address: string; cardId: Uint8Array }> {
  const state = kind === 'soft' ? join(folder, 'card') : undefined;
  card = await startCard({ kind, state });
  const cardId = await personalise(card, 1, CREDIT);
  const { address } = card;
  // A soft card is in a file, which is opened by its address from now on.
  if (kind === 'soft') await card.close();
  return { address, cardId };
}

async function play(address: string, options: Parameters<typeof startBridge>[2] = {}): Promise<BridgeRun> {
  const open = createCardOpener(address, { lendAs: 'tollcast watch', wait: true });
  run = await startBridge(network, card!, { open, ...options });
  return run;
}

/** Sends groups one after the other for as long as the test goes on. @returns how many were sent. */
function feed(service: TestService, payloads: readonly Uint8Array[]): () => number {
  const groups = service.seal(payloads);
  let sent = 0;
  feeding = setInterval(() => {
    if (sent % 10 === 0) network.keys(service.keys());
    const group = groups[sent];
    if (group === undefined) return clearInterval(feeding);
    sent++;
    void network.groups([group]);
  }, 20);
  return () => sent;
}

/** The card as another program opens it. */
async function borrow(address: string): Promise<DecodeModule> {
  const channel = await openCard(address);
  peers.push(channel);
  return new DecodeModule(channel);
}

describe.each<CardKind>(['soft', 'jcardsim', 'pcsc'])(
  'a card over %s that a bridge plays with',
  { timeout: 60_000 },
  (kind) => {
    test('is read and loaded by another program meanwhile: no octet is lost, one receipt, the charge exact', async () => {
      const { address, cardId } = await makeCard(kind);
      const service = new TestService({ cards: [cardId], quantum: 10_000n });
      const bridge = await play(address);
      const payloads = makePayloads(1000);
      feed(service, payloads);
      await bridge.until(() => bridge.bridge.status.groups >= 5);
      const before = bridge.bridge.status.groups;
      let reads = 0;
      while (bridge.bridge.status.groups < 80) {
        const module = await borrow(address);
        expect((await module.select()).cardId).toEqual(cardId);
        if (reads === 0) await loadCredit(module, cardId, 2_000_000n);
        const { loaded, taken } = await module.getPurse();
        expect(loaded).toBe(CREDIT + 2_000_000n);
        expect(taken).toBeGreaterThan(0n);
        expect((await readPurseLog(module, 64)).some(({ event }) => event.kind === 'loaded')).toBe(true);
        expect((await module.listKeys()).length).toBeGreaterThan(1);
        await peers.pop()!.close();
        reads++;
      }
      expect(reads).toBeGreaterThan(1);
      expect(bridge.bridge.status.groups).toBeGreaterThan(before);
      await bridge.until(() => bridge.bridge.status.packets === 1000);
      const { bill } = await bridge.stop();
      expect(bridge.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
      expect(bridge.states).not.toContain('waiting for the card');
      expect(bill!.receipts).toHaveLength(1);
      expect(bill).toMatchObject({ amount: 329_000n, torn: 0n, balance: CREDIT + 2_000_000n - 329_000n });
    });

    test('is blocked and unblocked by its issuer through the bridge that has it, which then goes on', async () => {
      const { address, cardId } = await makeCard(kind);
      const service = new TestService({ cards: [cardId], quantum: 10_000n });
      const bridge = await play(address);
      const payloads = makePayloads(400);
      feed(service, payloads);
      await bridge.until(() => bridge.bridge.status.groups >= 5);
      const channel = await openCard(address);
      peers.push(channel);
      await new DecodeModule(channel).select();
      const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
      await secure.setStatus('blocked');
      await secure.setStatus('active');
      await channel.close();
      await bridge.until(() => bridge.bridge.status.packets === 400);
      const { bill } = await bridge.stop();
      expect(bridge.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
      // The card closes a session when another program selects it; each receipt rounds up to a micro-unit.
      expect(bill!.receipts).toHaveLength(2);
      expect(bill!.amount).toBeGreaterThanOrEqual(131_600n);
      expect(bill!.amount).toBeLessThanOrEqual(131_601n);
      expect(bill!.balance).toBe(CREDIT - bill!.amount);
    });
  },
);

describe('a card that is lent', { timeout: 60_000 }, () => {
  test('keeps what the PIN of its owner opens for the owner, whatever the borrower does', async () => {
    const { address, cardId } = await makeCard('soft');
    const channel = await openCard(address);
    await new DecodeModule(channel).select();
    const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
    await secure.storeData(DGI.limits, encodeCardLimits({ ...NO_LIMITS, pinForSessions: true }), false);
    await secure.storeData(DGI.pin, PIN, false);
    await channel.close();

    const service = new TestService({ cards: [cardId] });
    const bridge = await play(address, { pin: PIN });
    const payloads = makePayloads(300);
    feed(service, payloads);
    await bridge.until(() => bridge.bridge.status.groups >= 3);
    const module = await borrow(address);
    await expect(module.getPurse()).rejects.toMatchObject({ code: 'NOT_SELECTED' });
    await module.select();
    // The owner has shown the PIN; the borrower has not.
    await expect(module.openSession(7)).rejects.toMatchObject({ code: 'SECURITY' });
    await expect(module.verifyPin(encodePin('9999'))).rejects.toMatchObject({ code: 'WRONG_PIN' });
    await module.verifyPin(PIN);
    await module.setSpendLimit(5_000_000n);
    await peers.pop()!.close();
    await bridge.until(() => bridge.bridge.status.packets === 300);
    expect(bridge.sink.payload.equals(Buffer.concat(payloads))).toBe(true);
    expect((await bridge.stop()).bill).toMatchObject({ balance: CREDIT - 98_700n });
  });

  test('goes back to its owner when the borrower falls silent with it', async () => {
    const { address, cardId } = await makeCard('soft');
    const service = new TestService({ cards: [cardId] });
    const bridge = await play(address);
    feed(service, makePayloads(1000));
    await bridge.until(() => bridge.bridge.status.groups >= 3);
    const module = await borrow(address);
    await module.select();
    await module.openSession(8);
    const { groups } = bridge.bridge.status;
    await bridge.until(() => bridge.bridge.status.groups > groups + 10);
    await expect(module.closeSession()).rejects.toMatchObject({ code: 'NOT_SELECTED' });
  });

  test('has a socket that its owner alone can reach, and that goes with the run', async () => {
    const { address } = await makeCard('soft');
    const bridge = await play(address);
    await bridge.until(() => bridge.bridge.status.card !== undefined);
    const { readdir } = await import('node:fs/promises');
    const lending = join(folder, 'tollcast');
    expect((await stat(lending)).mode & 0o777).toBe(0o700);
    const [socket, ...others] = await readdir(lending);
    expect(others).toEqual([]);
    expect((await stat(join(lending, socket!))).mode & 0o777).toBe(0o600);
    await expect(openCard(address, { lendAs: 'tollcast watch' })).rejects.toMatchObject({
      code: 'CARD_IN_USE',
      message: `the card is in use by tollcast watch (process ${process.pid}); end that first`,
    });
    await bridge.stop();
    expect(await readdir(folder)).not.toContain('tollcast');
  });

  test('is not lent where the folder is not private', async () => {
    const { address } = await makeCard('soft');
    const { mkdir, chmod } = await import('node:fs/promises');
    await mkdir(join(folder, 'tollcast'));
    await chmod(join(folder, 'tollcast'), 0o777);
    const bridge = await play(address);
    await bridge.until(() => bridge.bridge.status.card !== undefined);
    await expect(openCard(address)).rejects.toMatchObject({ code: 'CARD_IN_USE' });
  });
});
