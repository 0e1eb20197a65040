import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { PrivatePcscd } from '../../../card-sim/simulator/private-pcscd.ts';
import { createCardOpener, openCard } from '../../../host/transport/card/card-address.ts';
import { listReaders } from '../../../host/transport/card/pcsc/readers.ts';
import { VpcdCard } from '../../support/cards/vpcd-card.ts';
import { runTollcast } from '../../support/tollcast-cli.ts';

const ATR = fromHex('3b80800101');
const [first, second] = PrivatePcscd.readers;
const COMMAND = fromHex('00010000');

let pcscd: PrivatePcscd;
let folder: string;
const cards: VpcdCard[] = [];
const channels: CardChannel[] = [];

beforeAll(async () => {
  pcscd = await PrivatePcscd.prepare();
  folder = await mkdtemp(join(tmpdir(), 'tollcast-several-'));
  process.env['XDG_RUNTIME_DIR'] = folder;
});

beforeEach(async () => {
  await pcscd.run();
});

afterEach(async () => {
  for (const channel of channels.splice(0)) await channel.close();
  for (const card of cards.splice(0)) card.pull();
  await pcscd.kill();
});

afterAll(async () => {
  await pcscd.stop();
  delete process.env['XDG_RUNTIME_DIR'];
  await rm(folder, { recursive: true, force: true });
});

/** Puts a card into a reader; it answers with its name and INS. */
async function insert(reader: 0 | 1): Promise<VpcdCard> {
  const answer = (command: Uint8Array) => Uint8Array.of(reader, command[1]!, 0x90, 0x00);
  const card = await VpcdCard.insert({ port: pcscd.ports[reader], atr: ATR, answer });
  cards.push(card);
  const name = PrivatePcscd.readers[reader];
  await expect.poll(async () => stateOf(name)).not.toBe('empty');
  return card;
}

async function stateOf(reader: string): Promise<string | undefined> {
  return (await listReaders()).find(({ name }) => name === reader)?.state;
}

async function opened(opening: Promise<CardChannel>): Promise<CardChannel> {
  const channel = await opening;
  channels.push(channel);
  return channel;
}

describe('of cards in several readers', () => {
  test('none is taken unless it is named', async () => {
    const both = [await insert(0), await insert(1)];
    await expect(openCard('pcsc', { wait: true })).rejects.toMatchObject({
      code: 'PCSC_SEVERAL_CARDS',
      exitStatus: 2,
      message:
        `there are cards in several readers: "${first}", "${second}"; ` +
        `name the one you mean, as in --card 'pcsc:${first}'`,
    });
    for (const { commands, controls } of both) expect([commands, controls.length < 3]).toEqual([[], true]);
    const channel = await opened(openCard(`pcsc:${second}`));
    expect(toHex(await channel.transmit(COMMAND))).toBe('01019000');
    expect(both[0]!.commands).toEqual([]);
  });

  test('one that is in use is not passed over for the one beside it', async () => {
    const [used, beside] = [await insert(0), await insert(1)];
    await opened(openCard(`pcsc:${first}`, { lendAs: 'tollcast watch' }));
    used.commands.length = 0;
    const user = `tollcast watch (process ${process.pid})`;
    const options = { cwd: folder, env: { ...process.env, TOLLCAST_PASSPHRASE: 'of this test alone' } };
    expect((await runTollcast(['issuer', 'init', '--id', '0A1B2C'], options)).code).toBe(0);
    for (const command of [
      ['issuer', 'block'],
      ['issuer', 'load', '--amount', '5.00 USD'],
      ['card', 'log'],
    ]) {
      const { code, stderr } = await runTollcast([...command, '--card', 'pcsc'], options);
      expect([code, stderr]).toEqual([
        2,
        `tollcast: there are cards in several readers: "${first}" (in use by ${user}), "${second}"; ` +
          `name the one you mean, as in --card 'pcsc:${first}'\n`,
      ]);
    }
    await expect(openCard(`pcsc:${first}`, { lendAs: 'tollcast watch' })).rejects.toMatchObject({
      code: 'CARD_IN_USE',
      message: `the card is in use by ${user}; end that first`,
    });
    expect([used.commands, beside.commands]).toEqual([[], []]);
  });

  test('a run keeps to the reader in which it found its card', async () => {
    const own = await insert(0);
    const open = createCardOpener('pcsc', {});
    const channel = await opened(open(AbortSignal.timeout(5_000)));
    own.pull();
    const other = await insert(1);
    await expect.poll(() => stateOf(first)).toBe('empty');
    await expect(channel.transmit(COMMAND)).rejects.toMatchObject({ code: 'CARD_GONE' });
    await channel.close();
    await expect(open(AbortSignal.timeout(5_000))).rejects.toMatchObject({ code: 'PCSC_NO_CARD' });
    expect(other.commands).toEqual([]);
    await insert(0);
    const again = await opened(open(AbortSignal.timeout(5_000)));
    expect(toHex(await again.transmit(COMMAND))).toBe('00019000');
  });
});

/** Another program that shares a card, and resets it when it is told to. */
const SHARING_PROGRAM = `
  import pcsclite from 'pcsclite';
  const [, , name] = process.argv;
  pcsclite().on('reader', (reader) => {
    if (reader.name !== name) return;
    reader.connect({ share_mode: 2, protocol: 3 }, (error) => {
      console.log(error === null ? 'shared' : error.message);
      process.stdin.on('data', () => reader.disconnect(1, () => console.log('reset')));
    });
  });`;

describe('a card that another program shares', () => {
  test('is used beside it; a reset by it ends the channel, and the next one works', async () => {
    const card = await insert(0);
    const sharing = spawn(process.execPath, ['--input-type=module', '-e', SHARING_PROGRAM, '--', '-', first], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const [said] = (await once(sharing.stdout, 'data')) as [Buffer];
      expect(said.toString()).toBe('shared\n');
      const channel = await opened(openCard(`pcsc:${first}`));
      expect(toHex(await channel.transmit(COMMAND))).toBe('00019000');
      card.commands.length = 0;
      sharing.stdin.write('reset\n');
      await once(sharing.stdout, 'data');
      await expect(channel.transmit(COMMAND)).rejects.toMatchObject({ code: 'CARD_GONE' });
      expect(card.commands).toEqual([]);
      await channel.close();
      const again = await opened(openCard(`pcsc:${first}`));
      expect(toHex(await again.transmit(COMMAND))).toBe('00019000');
    } finally {
      sharing.kill('SIGKILL');
    }
  });
});
