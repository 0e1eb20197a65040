import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { DGI } from '../../../apdu/decode-module/personalisation.ts';
import { encodePin } from '../../../apdu/decode-module/pin.ts';
import { openSecureChannel } from '../../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../../apdu/secure-channel/test-key-set.ts';
import { startCard } from '../../../card-sim/index.ts';
import { PrivatePcscd } from '../../../card-sim/simulator/private-pcscd.ts';
import { RunnerProcess } from '../../../card-sim/simulator/runner-process.ts';
import { presentPin } from '../../../host/holder/pin.ts';
import { openPcscCard } from '../../../host/transport/card/pcsc/pcsc-card.ts';
import { personalise } from '../../support/streams/test-service.ts';
import { runTollcast } from '../../support/tollcast-cli.ts';

const SOURCE = join(import.meta.dirname, '../../support/pin-pad/pin-pad-reader.c');
const PIN = '4711';
const SETUP_MS = 60_000;

let folder: string;
let pcscd: PrivatePcscd;
let driver: string;

const inserted = () => openPcscCard(PrivatePcscd.readers[0], { wait: true, signal: AbortSignal.timeout(10_000) });

/** What the holder's fingers do from now on. */
async function press(keys: string): Promise<void> {
  await writeFile(process.env['PIN_PAD_KEYS']!, keys);
}

async function withModule<T>(work: (module: DecodeModule, channel: CardChannel) => Promise<T>): Promise<T> {
  const channel = await inserted();
  try {
    const module = new DecodeModule(channel);
    await module.select();
    return await work(module, channel);
  } finally {
    await channel.close();
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollcast-pin-pad-'));
  process.env['PIN_PAD_KEYS'] = join(folder, 'keys');
  driver = join(folder, 'pin-pad-reader.so');
  await promisify(execFile)('gcc', ['-shared', '-fPIC', '-I/usr/include/PCSC', '-o', driver, SOURCE, '-ldl']);
  pcscd = await PrivatePcscd.prepare();
  await pcscd.run({ driver });
  const spec = `vpcd=127.0.0.1:${pcscd.ports[0]},strict=1`;
  await (await RunnerProcess.start(spec)).add(spec);
  await personalise({ kind: 'pcsc', channel: inserted }, 1, 1_000_000n);
  await withModule(async (_module, channel) => {
    const secure = new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET));
    await secure.storeData(DGI.pin, encodePin(PIN), false);
  });
}, SETUP_MS);

afterAll(async () => {
  await pcscd?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a PIN that is entered at the reader opens the card, and goes through no program', async () => {
  await press(PIN);
  await withModule(async (module, channel) => {
    const sent: Uint8Array[] = [];
    const watched = new DecodeModule({
      atr: channel.atr,
      transmit: (command) => (sent.push(command), channel.transmit(command)),
      enterPin: (command) => (sent.push(command), channel.enterPin!(command)),
      close: () => channel.close(),
    });
    await presentPin(watched, 'pin pad');
    await module.setSpendLimit(500_000n);
    expect(sent).toHaveLength(1);
    expect(Buffer.concat(sent).includes(PIN)).toBe(false);
  });
});

test('a wrong one costs a try; one that is cancelled, or does not come, costs none', async () => {
  const enter = (keys: string) =>
    withModule(async (module) => {
      await press(keys);
      await presentPin(module, 'pin pad');
    });
  await expect(enter('0000')).rejects.toMatchObject({
    code: 'WRONG_PIN',
    message: 'wrong PIN, 2 tries are left; type it again',
  });
  for (const [keys, words] of [
    ['X', 'entering the PIN was cancelled at'],
    ['', 'no PIN was entered at'],
    ['12', 'no PIN was entered at'],
  ] as const) {
    await expect(enter(keys)).rejects.toMatchObject({
      code: 'PIN_NOT_GIVEN',
      message: expect.stringContaining(words) as string,
    });
  }
  await expect(enter('0000')).rejects.toMatchObject({ message: 'wrong PIN, one try is left; type it again' });
  await enter(PIN);
});

test('the command line tells when to enter it', async () => {
  await press(PIN);
  const args = ['card', 'spend-limit', '0.25', '--pin-pad', '--card', `pcsc:${PrivatePcscd.readers[0]}`];
  const { code, stdout, stderr } = await runTollcast(args);
  expect([code, stderr]).toEqual([0, 'tollcast: enter the PIN at the keypad of the reader\n']);
  expect(stdout).toContain('spend limit a day 0.25 USD');
});

test('a reader without a keypad, and a card without a reader, are said', async () => {
  await pcscd.kill();
  await pcscd.run();
  const refused = withModule((module) => presentPin(module, 'pin pad'));
  await expect(refused).rejects.toMatchObject({
    code: 'NO_PIN_PAD',
    message: `${PrivatePcscd.readers[0]} has no keypad, or its driver does not tell; type the PIN at the computer instead: --pin`,
  });
  await withModule((module) => module.verifyPin(encodePin(PIN)));
  await using soft = await startCard({ kind: 'soft' });
  const module = new DecodeModule(await soft.channel());
  await expect(presentPin(module, 'pin pad')).rejects.toMatchObject({ code: 'NO_PIN_PAD' });
});
