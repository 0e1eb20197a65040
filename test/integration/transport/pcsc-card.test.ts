import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../apdu/card-channel.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { CardGoneError } from '../../../apdu/errors.ts';
import { exchange } from '../../../apdu/iso7816/exchange.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { PrivatePcscd } from '../../../card-sim/simulator/private-pcscd.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';
import { openPcscCard } from '../../../host/transport/card/pcsc/pcsc-card.ts';
import { openPcsclite } from '../../../host/transport/card/pcsc/pcsclite-context.ts';
import { listReaders, watchReaders, type ReaderEvent } from '../../../host/transport/card/pcsc/readers.ts';
import { VpcdCard, type CardProgram } from '../../support/cards/vpcd-card.ts';

const run = promisify(execFile);
const atr = fromHex('3b80800101'); // T=1
const [first, second] = PrivatePcscd.readers;
const select = fromHex('00a40400');
/** Left without an answer by the card below. */
const hang = fromHex('00ff0000');

/** Answers with its name and INS. */
function named(name: number): CardProgram {
  return (command) => (command[1] === 0xff ? undefined : Uint8Array.of(name, command[1]!, 0x90, 0x00));
}

let pcscd: PrivatePcscd;
const cards: VpcdCard[] = [];
const channels: CardChannel[] = [];

async function insert(answer: CardProgram = named(1), cardAtr = atr): Promise<VpcdCard> {
  const card = await VpcdCard.insert({ port: pcscd.ports[0], atr: cardAtr, answer });
  cards.push(card);
  return card;
}

/** Opens a card and waits for it: pcscd looks for cards every 400 ms. */
async function opened(reader?: string): Promise<CardChannel> {
  const channel = await openPcscCard(reader, { wait: true, signal: AbortSignal.timeout(8_000) });
  channels.push(channel);
  return channel;
}

async function stateOf(reader: string): Promise<string | undefined> {
  return (await listReaders()).find(({ name }) => name === reader)?.state;
}

beforeAll(async () => {
  pcscd = await PrivatePcscd.prepare();
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
});

describe('one line says what is missing and what to do', () => {
  test('pcscd', async () => {
    await pcscd.kill();
    await expect(listReaders()).rejects.toMatchObject({
      code: 'PCSC_NO_SERVICE',
      message: 'pcscd is not running; start it (`systemctl start pcscd`, or as root `pcscd`)',
    });
    await expect(openCard('pcsc')).rejects.toMatchObject({ code: 'PCSC_NO_SERVICE' });
  });

  test('a reader', async () => {
    await pcscd.kill();
    await pcscd.run({ readers: false });
    expect(await listReaders()).toEqual([]);
    await expect(openCard('pcsc')).rejects.toMatchObject({ code: 'PCSC_NO_READER' });
    await expect(openCard('pcsc:ACS')).rejects.toMatchObject({
      code: 'PCSC_UNKNOWN_READER',
      message: 'no reader is called "ACS"; no reader is connected; plug it in',
    });
  });

  test('a card, a known name, a name that one reader has', async () => {
    expect((await listReaders()).map(({ name, state }) => [name, state])).toEqual([
      [first, 'empty'],
      [second, 'empty'],
    ]);
    await expect(openCard('pcsc')).rejects.toMatchObject({ code: 'PCSC_NO_CARD' });
    await expect(openCard(second)).rejects.toMatchObject({
      code: 'PCSC_NO_CARD',
      message: `there is no card in ${second}; insert one, or name another reader`,
    });
    await expect(openCard('ACS')).rejects.toMatchObject({
      message: `no reader is called "ACS"; write one of "${first}", "${second}"`,
    });
    await expect(openCard('virtual pcd')).rejects.toMatchObject({ code: 'PCSC_AMBIGUOUS_READER' });
  });

  test('a card that answers its reset with nonsense', async () => {
    await insert(named(1), fromHex('0000'));
    await expect.poll(() => stateOf(first)).toBe('card');
    await expect(openCard('pcsc')).rejects.toMatchObject({ code: 'PCSC_PROTOCOL' });
  });

  test('pcsclite itself, without which the other addresses work', async () => {
    const script = `
      import { registerHooks } from 'node:module';
      registerHooks({ resolve: (name, context, next) => {
        if (name === 'pcsclite') throw new Error('not built');
        return next(name, context);
      } });
      const { openCard } = await import('./host/transport/card/card-address.ts');
      const codes = [];
      for (const at of ['pcsc', 'tcp:127.0.0.1:1']) await openCard(at, { wait: at === 'pcsc' }).catch((e) => codes.push(e.code));
      console.log(codes.join());`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout.trim()).toBe('PCSC_NOT_INSTALLED,TCP_UNREACHABLE');
  });
});

describe('a card in a reader', () => {
  test('is seen as opensc and pcsc-tools see it', async () => {
    await insert();
    await expect.poll(() => stateOf(first)).toBe('card');
    const [reader] = await listReaders();
    expect(reader).toMatchObject({ name: first, atr });
    const opensc = await run('opensc-tool', ['--reader', '0', '--atr']);
    expect(opensc.stdout.trim()).toBe('3b:80:80:01:01');
    const scan = await run('timeout', ['2', 'pcsc_scan', '-n']).catch((ended: { stdout: string }) => ended);
    expect(scan.stdout).toContain('3B 80 80 01 01');
  });

  test('answers; one channel at a time has it; closing resets it', async () => {
    const card = await insert();
    const channel = await opened();
    expect(channel.atr).toEqual(atr);
    expect(toHex(await channel.transmit(select))).toBe('01a49000');
    await expect(openCard(first)).rejects.toMatchObject({ code: 'PCSC_IN_USE' });
    const answers = await Promise.all([1, 2, 3].map((ins) => channel.transmit(Uint8Array.of(0, ins, 0, 0))));
    expect(answers.map((answer) => answer[1])).toEqual([1, 2, 3]);
    const controls = card.controls.length;
    await channel.close();
    expect(card.controls.length).toBeGreaterThan(controls);
    await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
    const again = await opened(first);
    expect(toHex(await again.transmit(select))).toBe('01a49000');
  });

  test('takes and gives 65 KB in one command', async () => {
    await insert((command) => Uint8Array.of(...command.subarray(7, 65_007), 0x90, 0x00));
    const channel = await opened();
    const data = Uint8Array.from({ length: 65_000 }, (_, i) => i * 7);
    const response = await exchange(channel, { cla: 0x80, ins: 0x01, p1: 0, p2: 0, data, le: 65_536 });
    expect(response.status).toBe(STATUS.DONE);
    expect(Buffer.compare(response.data, data)).toBe(0);
  });

  test('T=0: the channel maps case 1 and case 4, and refuses extended length', async () => {
    const card = await insert((command) => {
      if (command[1] === 0xc0) return Uint8Array.of(...new Uint8Array(command[4]!).fill(0xdd), 0x90, 0x00);
      return command.length > 5 ? fromHex('6103') : fromHex('9000');
    }, fromHex('3b00'));
    const channel = await opened();
    card.commands.length = 0;
    expect(toHex(await channel.transmit(select))).toBe('9000');
    expect(toHex(await channel.transmit(fromHex('8010000002aabb00')))).toBe('dddddd9000');
    expect(toHex(await channel.transmit(fromHex('8010000002aabb')))).toBe('6103');
    expect(card.commands.map(toHex)).toEqual(['00a4040000', '8010000002aabb', '00c0000003', '8010000002aabb']);
    await expect(channel.transmit(fromHex('80100000000001aa'))).rejects.toMatchObject({ code: 'T0_SHORT_ONLY' });
  });
});

describe('a card that leaves', () => {
  test('in mid-command: the channel is over, and only a new one reaches the next card', async () => {
    const card = await insert();
    const channel = await opened();
    const answer = channel.transmit(hang);
    await delay(100);
    card.pull();
    await expect(answer).rejects.toThrow(CardGoneError);
    await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
    const next = await insert(named(2));
    await expect(channel.transmit(select)).rejects.toMatchObject({ code: 'CARD_GONE' });
    const session = await opened();
    await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
    expect(toHex(await session.transmit(fromHex('00010000')))).toBe('02019000');
    await channel.close();
    expect(toHex(await session.transmit(fromHex('00020000')))).toBe('02029000');
    // SELECT without a name proved that there is a card; nothing of the old session came through.
    expect(next.commands.map(toHex)).toEqual(['00a4040000', '00010000', '00020000']);
  });

  test('between two commands, and is replaced before pcscd notices', async () => {
    const card = await insert();
    const channel = await opened();
    await channel.transmit(select);
    card.pull();
    const next = await insert(named(2));
    for (let i = 0; i < 20; i++) {
      await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
      await delay(50);
    }
    expect(next.commands).toEqual([]);
  });

  test('and comes back before pcscd notices: closing the channel does not hide it from pcscd', async () => {
    const card = await insert();
    const channel = await opened();
    card.pull();
    await insert(named(2));
    await channel.close();
    expect(toHex(await (await opened()).transmit(select))).toBe('02a49000');
  });

  test('while nothing is sent, and is noticed by the count of the reader', async () => {
    const card = await insert();
    const channel = await opened();
    const before = (await listReaders())[0]?.events;
    card.pull();
    await expect.poll(() => stateOf(first)).toBe('empty');
    const next = await insert(named(2));
    await expect.poll(() => stateOf(first)).not.toBe('empty');
    await expect(channel.transmit(select)).rejects.toMatchObject({
      code: 'CARD_GONE',
      cause: { code: 'PCSC_REMOVED' },
    });
    expect(next.commands).toEqual([]);
    expect((await listReaders())[0]?.events).toBeGreaterThan(before ?? 0);
  });
});

describe('pcscd', () => {
  test('killed in mid-command and started again serves the same process', async () => {
    await insert();
    const channel = await opened();
    const answer = channel.transmit(hang);
    await delay(100);
    await pcscd.kill('SIGKILL');
    await expect(answer).rejects.toMatchObject({ code: 'CARD_GONE', cause: { code: 'PCSC_SERVICE_LOST' } });
    await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
    await expect(openCard('pcsc')).rejects.toMatchObject({ code: 'PCSC_NO_SERVICE' });
    const reasons: string[] = [];
    const opening = openPcscCard(undefined, {
      wait: true,
      onWaiting: ({ code }) => reasons.push(code),
      signal: AbortSignal.timeout(10_000),
    });
    await delay(300);
    await pcscd.run();
    await insert(named(2));
    channels.push(await opening);
    expect(toHex(await (await opening).transmit(select))).toBe('02a49000');
    expect(reasons).toEqual(['PCSC_NO_SERVICE', 'PCSC_NO_CARD']);
  });

  test('250 contexts opened and closed do not exhaust its 200 threads', async () => {
    for (let i = 0; i < 250; i++) {
      const context = await openPcsclite({ changed: () => {}, failed: () => {} });
      expect([context.readers.size, context.failure]).toEqual([2, undefined]);
      await delay(5);
      context.close();
    }
  });

  test('one context serves channels that follow each other', async () => {
    await insert();
    for (let i = 0; i < 5; i++) {
      const channel = await opened();
      await channel.close();
      expect(await listReaders()).toHaveLength(2);
    }
  });
});

describe('watching', () => {
  test('yields events of readers, cards and pcscd until the signal aborts', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const event of watchReaders({ signal: stop.signal })) seen.push(inWords(event));
    })();
    const next = async (...expected: string[]): Promise<void> => {
      await expect.poll(() => seen).toEqual(expected);
      seen.length = 0;
    };
    await next(`readers ${first}, ${second}`);
    const card = await insert();
    await next(`inserted ${first} 3b80800101`);
    card.pull();
    await next(`removed ${first} 3b80800101`);
    await pcscd.kill('SIGKILL');
    await next('service-lost PCSC_SERVICE_LOST');
    await pcscd.run({ readers: false });
    await next('readers ');
    stop.abort();
    await watching;
  });

  test('waiting for a card ends with the signal, and at once when it cannot help', async () => {
    await expect(openPcscCard(undefined, { wait: true, signal: AbortSignal.timeout(200) })).rejects.toThrow();
    await expect(openPcscCard('virtual', { wait: true })).rejects.toMatchObject({ code: 'PCSC_AMBIGUOUS_READER' });
  });
});

function inWords(event: ReaderEvent): string {
  switch (event.type) {
    case 'readers':
      return `readers ${event.readers.map(({ name }) => name).join(', ')}`;
    case 'service-lost':
      return `service-lost ${event.error.code}`;
    case 'inserted':
    case 'removed':
      return `${event.type} ${event.reader.name} ${toHex(event.reader.atr)}`;
  }
}
