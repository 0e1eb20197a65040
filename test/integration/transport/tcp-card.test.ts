import { afterEach, describe, expect, test } from 'vitest';
import { CardGoneError } from '../../../apdu/errors.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { openCard } from '../../../host/transport/card/card-address.ts';
import { openTcpCard } from '../../../host/transport/card/tcp/tcp-card.ts';
import { frame, TcpCardServer, type FrameHandler } from '../../support/cards/tcp-card-server.ts';

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

  test('reads frames that come in pieces, and the longest frames', async () => {
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

  test('a connection closed in mid-command fails this and every later command as a card gone', async () => {
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

  test('an address where nothing listens, and one where no card does, are told apart', async () => {
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

  test('waits for a card that is not there yet, reports the reason once, and stops with the signal', async () => {
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
    expect(reasons[0]).toContain('start its runner');
  });

  test('makes thousands of round trips without a pause between frames', async () => {
    const server = await serve(echo);
    const card = await openTcpCard({ host: '127.0.0.1', port: server.port });
    const command = new Uint8Array(100);
    const start = performance.now();
    for (let i = 0; i < 4_000; i++) await card.transmit(command);
    expect(performance.now() - start).toBeLessThan(20_000);
    await card.close();
  });
});
