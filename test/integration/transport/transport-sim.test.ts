import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { CardGoneError, OutOfRangeError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { SoftCard } from '../../../card-sim/index.ts';
import { openCard, parseCardAddress } from '../../../host/transport/card/card-address.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';
import { openTcpCard } from '../../../host/transport/card/tcp/tcp-card.ts';
import { frame, TcpCardServer, type FrameHandler } from '../../support/tcp-card-server.ts';

const atr = fromHex('3b80800101');
const servers: TcpCardServer[] = [];

/** Echoes the command as data. */
const echo: FrameHandler = (payload) => {
  if (payload.length === 1) return payload[0] === 4 ? atr : undefined;
  return Uint8Array.of(...payload, 0x90, 0x00);
};

async function serve(answer: FrameHandler): Promise<TcpCardServer> {
  const server = await TcpCardServer.listen(answer);
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe('card over TCP', () => {
  test('connecting switches the card on, closing switches it off', async () => {
    const server = await serve(echo);
    const card = await openCard(`tcp:127.0.0.1:${server.port}`);
    expect(card.atr).toEqual(atr);
    expect(toHex(await card.transmit(fromHex('00a40400')))).toBe('00a404009000');
    await card.close();
    await card.close();
    await expect(card.transmit(fromHex('00a40400'))).rejects.toThrow(CardGoneError);
    await expect.poll(() => server.frames.map(toHex)).toEqual(['01', '04', '00a40400', '00']);
  });

  test('commands go one at a time, in the order of the calls', async () => {
    const server = await serve(echo);
    const card = await openTcpCard({ host: '127.0.0.1', port: server.port });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => card.transmit(Uint8Array.of(0, i, 0, 0))));
    expect(answers.map((answer) => answer[1])).toEqual(Array.from({ length: 50 }, (_, i) => i));
    await card.close();
  });

  test('frames in pieces, and the longest frames', async () => {
    const long = new Uint8Array(65_535).fill(0xab);
    long.set([0x90, 0x00], 65_533);
    const server = await serve((payload, socket) => {
      if (payload.length <= 1) return echo(payload, socket);
      const framed = frame(long);
      socket.write(framed.subarray(0, 1));
      setTimeout(() => socket.write(framed.subarray(1, 40_000)), 5);
      setTimeout(() => socket.write(framed.subarray(40_000)), 10);
      return undefined;
    });
    const card = await openTcpCard({ host: '127.0.0.1', port: server.port });
    expect(await card.transmit(new Uint8Array(65_535))).toEqual(long);
    await expect(card.transmit(new Uint8Array(65_536))).rejects.toMatchObject({ code: 'TCP_FRAME' });
    await expect(card.transmit(new Uint8Array(3))).rejects.toMatchObject({ code: 'TCP_FRAME' });
    await card.close();
  });

  test('a connection closed in mid-command is a card gone, for this and every later command', async () => {
    const server = await serve((payload, socket) => {
      if (payload.length > 1) socket.destroy();
      return echo(payload, socket);
    });
    const card = await openTcpCard({ host: '127.0.0.1', port: server.port });
    const both = await Promise.allSettled([card.transmit(fromHex('00a40400')), card.transmit(fromHex('00a40400'))]);
    for (const result of both) expect(result).toMatchObject({ reason: { code: 'CARD_GONE' } });
    await card.close();
  });

  test.each<[string, FrameHandler]>([
    ['no status word', () => Uint8Array.of(0x90)],
    ['an empty answer', () => new Uint8Array()],
    [
      'two answers at once',
      (_payload, socket) => {
        socket.write(Buffer.concat([frame(fromHex('9000')), frame(fromHex('9000'))]));
        return undefined;
      },
    ],
  ])('%s ends the session', async (_name, answer) => {
    const server = await serve((payload, socket) =>
      payload.length === 1 ? echo(payload, socket) : answer(payload, socket),
    );
    const card = await openTcpCard({ host: '127.0.0.1', port: server.port });
    await expect(card.transmit(fromHex('00a40400'))).rejects.toThrow(CardGoneError);
    await expect(card.transmit(fromHex('00a40400'))).rejects.toThrow(CardGoneError);
  });

  test('nothing there, and something that is no card', async () => {
    const server = await serve(() => new Uint8Array());
    await expect(openTcpCard({ host: '127.0.0.1', port: server.port })).rejects.toMatchObject({ code: 'TCP_NO_ATR' });
    const { port } = server;
    await server.close();
    servers.splice(0);
    await expect(openTcpCard({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'TCP_UNREACHABLE' });
    await expect(openTcpCard({ host: 'no-such-host.invalid', port: 1 })).rejects.toMatchObject({
      code: 'TCP_UNREACHABLE',
    });
  });

  test('waits for a card that is not there yet, says so once, and stops when told', async () => {
    const first = await serve(echo);
    const { port } = first;
    await first.close();
    servers.splice(0);
    const reasons: string[] = [];
    const stop = new AbortController();
    const options = { wait: true, onWaiting: (reason: Error) => reasons.push(reason.message), signal: stop.signal };
    const opening = openCard(`tcp:127.0.0.1:${port}`, options);
    setTimeout(() => stop.abort(new Error('enough')), 700);
    await expect(opening).rejects.toThrow();
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain('start the runner');
  });

  test('no pause between frames: thousands of round trips a second', async () => {
    const server = await serve(echo);
    const card = await openTcpCard({ host: '127.0.0.1', port: server.port });
    const command = new Uint8Array(100);
    const start = performance.now();
    for (let i = 0; i < 4_000; i++) await card.transmit(command);
    expect(performance.now() - start).toBeLessThan(2_000);
    await card.close();
  });
});

describe('soft card in this process', () => {
  const select = fromHex('00a4040000');

  test('opening is a reset, closing switches it off', async () => {
    const card = new SoftCard();
    const channel = new SoftChannel(card);
    expect(channel.atr).toEqual(atr);
    expect(toHex(await channel.transmit(select))).toBe('6a82');
    await channel.close();
    await channel.close();
    await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
    expect(() => card.transmit(select)).toThrow(CardGoneError);
    expect(toHex(await new SoftChannel(card).transmit(select))).toBe('6a82');
  });

  test('a power cut is a rejection, and the channel is over', async () => {
    const card = new SoftCard();
    let cuts = 0;
    const channel = new SoftChannel(card, { onPowerLoss: () => cuts++ });
    card.cut(0);
    await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
    await expect(channel.transmit(select)).rejects.toThrow(CardGoneError);
    expect(cuts).toBe(1);
  });

  test('a card that was pulled is not reached, and a channel that is over does not switch off the next', async () => {
    const card = new SoftCard();
    const first = new SoftChannel(card);
    first.pull();
    await expect(first.transmit(select)).rejects.toThrow(CardGoneError);
    const second = new SoftChannel(card);
    await first.close();
    expect(toHex(await second.transmit(select))).toBe('6a82');
  });
});

describe('card address', () => {
  test.each([
    ['pcsc', { kind: 'pcsc' }],
    ['pcsc:ACS ACR122U PICC: 00', { kind: 'pcsc', reader: 'ACS ACR122U PICC: 00' }],
    ['Virtual PCD 00 00', { kind: 'pcsc', reader: 'Virtual PCD 00 00' }],
    ['tcp:127.0.0.1:35963', { kind: 'tcp', at: { host: '127.0.0.1', port: 35_963 } }],
    ['tcp:[::1]:1', { kind: 'tcp', at: { host: '::1', port: 1 } }],
    ['tcp:runner.example:65535', { kind: 'tcp', at: { host: 'runner.example', port: 65_535 } }],
    ['soft', { kind: 'soft' }],
    ['soft:/a/b:c.card', { kind: 'soft', file: '/a/b:c.card' }],
  ])('%s', (text, address) => {
    expect(parseCardAddress(text)).toEqual(address);
  });

  test.each([
    '',
    ' ',
    'pcsc:',
    'soft:',
    'tcp:',
    'tcp:host',
    'tcp:host:',
    'tcp:host:0',
    'tcp:host:65536',
    'tcp::1',
    'tcp:a:b:1',
  ])('"%s" is refused', (text) => {
    expect(() => parseCardAddress(text)).toThrow(OutOfRangeError);
  });

  test('any other text is the name of a reader, or refused', () => {
    const text = fc.oneof(
      fc.string(),
      fc.tuple(fc.constantFrom('tcp:', 'pcsc:', 'soft:'), fc.string()).map((two) => two.join('')),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          expect(['pcsc', 'tcp', 'soft']).toContain(parseCardAddress(any).kind);
        } catch (error) {
          expect(error).toBeInstanceOf(OutOfRangeError);
        }
      }),
    );
  });
});
