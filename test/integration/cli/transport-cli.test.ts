import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fromHex } from '../../../apdu/octets.ts';
import { PrivatePcscd } from '../../../card-sim/simulator/private-pcscd.ts';
import { SoftCard } from '../../../card-sim/soft/soft-card.ts';
import { TcpCardServer } from '../../support/cards/tcp-card-server.ts';
import { VpcdCard } from '../../support/cards/vpcd-card.ts';
import { type CliRun, runTollcast, TOLLCAST } from '../../support/tollcast-cli.ts';

const [first, second] = PrivatePcscd.readers;

function tollcast(...words: string[]): Promise<CliRun> {
  return runTollcast(words);
}

/** Succeeded without a word on standard error. */
async function printed(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await tollcast(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

let pcscd: PrivatePcscd;
const cards: VpcdCard[] = [];

async function insertSoft(slot: 0 | 1): Promise<VpcdCard> {
  const soft = new SoftCard();
  const atr = soft.powerOn();
  const card = await VpcdCard.insert({ port: pcscd.ports[slot], atr, answer: (command) => soft.transmit(command) });
  cards.push(card);
  return card;
}

beforeAll(async () => {
  pcscd = await PrivatePcscd.start();
});

afterEach(() => {
  for (const card of cards.splice(0)) card.pull();
});

afterAll(async () => {
  await pcscd.stop();
});

describe('tollcast card list', () => {
  test('lists readers without cards', async () => {
    expect(await printed('card', 'list')).toBe(`${first}: no card\n${second}: no card\n`);
  });

  test('waits for a card, and tells a decode module from another card', async () => {
    const child = spawn(process.execPath, [TOLLCAST, 'card', 'list', '--wait', '--json'], { stdio: 'pipe' });
    const ended = once(child, 'exit');
    const out: string[] = [];
    const said: string[] = [];
    child.stdout.on('data', (chunk) => out.push(String(chunk)));
    child.stderr.on('data', (chunk) => said.push(String(chunk)));
    await expect
      .poll(() => said.join(''))
      .toBe(`tollcast: waiting: there is no card in ${first}, ${second}; insert one\n`);
    await insertSoft(0);
    expect(await ended).toEqual([0, null]);
    const blank = { card: '000000-00-00000000', life: 'blank', version: 1 };
    expect(JSON.parse(out.join(''))).toEqual({
      readers: [
        { reader: first, state: 'card', atr: '3b80800101', module: blank },
        { reader: second, state: 'empty', atr: '', module: null },
      ],
      tokens: [],
    });
    cards.push(await VpcdCard.insert({ port: pcscd.ports[1], atr: fromHex('3b00'), answer: () => fromHex('6a82') }));
    await expect
      .poll(() => printed('card', 'list'))
      .toBe(
        `${first}: card 3b80800101, decode module 000000-00-00000000, blank\n${second}: card 3b00, not a decode module\n`,
      );
  });
});

describe('tollcast card apdu', () => {
  test('shows an answer over PC/SC in octets, in BER-TLV and in words', async () => {
    await insertSoft(0);
    const commands = ['00 A4 04 00 0A F0544F4C4C4341535401 00', '80 44 00 00 01 00', '80EE0000'];
    const { code, stdout, stderr } = await tollcast('card', 'apdu', '--wait', '--card', first, ...commands);
    expect({ code, failure: stderr.split('\n').filter((line) => !/^(tollcast: waiting: .*)?$/.test(line)) }).toEqual({
      code: 0,
      failure: [],
    });
    expect(stdout).toBe(
      [
        '> 00 A4 04 00 0A F0 54 4F 4C 4C 43 41 53 54 01 00',
        '  0000  6F 31 84 0A F0 54 4F 4C 4C 43 41 53 54 01 A5 23  o1...TOLLCAST..#',
        '  0010  80 02 00 01 81 08 00 00 00 00 00 00 00 00 82 01  ................',
        '  0020  00 83 04 00 00 03 FF 84 02 00 D0 85 02 00 FF 86  ................',
        '  0030  02 00 00                                         ...',
        '  6F (49)',
        '    84 (10) F0 54 4F 4C 4C 43 41 53 54 01',
        '    A5 (35)',
        '      80 (2) 00 01',
        '      81 (8) 00 00 00 00 00 00 00 00',
        '      82 (1) 00',
        '      83 (4) 00 00 03 FF',
        '      84 (2) 00 D0',
        '      85 (2) 00 FF',
        '      86 (2) 00 00',
        '< 9000 done',
        '> 80 44 00 00 01 00',
        '< 6700 the command has a length it cannot have; check its data',
        '> 80 EE 00 00',
        '< 6D00 the card does not know this instruction; check that this is the card you meant',
        '',
      ].join('\n'),
    );
  });

  test('does not use the words of the decode module for another card over TCP', async () => {
    const server = await TcpCardServer.listen((payload) => {
      if (payload.length === 1) return payload[0] === 4 ? fromHex('3b00') : undefined;
      return fromHex('9401');
    });
    const at = ['--card', `tcp:127.0.0.1:${server.port}`];
    const answer = { command: '803a0000', data: '', status: '9401' };
    expect(JSON.parse(await printed('card', 'apdu', '--json', ...at, '803A0000'))).toMatchObject(answer);
    expect(await printed('card', 'apdu', ...at, '803A0000')).toContain('a status word ISO/IEC 7816-4 does not define');
    await server.close();
  });
});

describe('tollcast card info', () => {
  test('shows that a soft module is blank', async () => {
    const stdout = await printed('card', 'info', '--card', 'soft', '--json');
    expect(JSON.parse(stdout)).toEqual({
      atr: '3b80800101',
      card: '000000-00-00000000',
      class: null,
      life: 'blank',
      version: 1,
      capabilities: ['suite1', 'octets', 'duration', 'flat', 'scp03', 'pin', 'marks', 'tree', 'p256', 'blind'],
      maxSpan: 208,
      maxCommandData: 255,
      ratingLimit: null,
      pinPolicy: 'none',
      pinTries: null,
      trust: [],
      keys: [],
    });
    expect(await printed('card', 'info', '--card', 'soft')).toContain('blank; type: tollcast issuer personalise');
  });

  test('a soft card that is not there is not taken for a blank one', async () => {
    const { code, stdout, stderr } = await tollcast('card', 'info', '--card', 'soft:no such card');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toBe(
      "tollcast: there is no soft card no such card; check the name, or make one: tollcast issuer personalise --card 'soft:no such card'\n",
    );
  });

  test('output that cannot be written is a failure', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [TOLLCAST, 'card', 'info', '--card', 'soft'], {
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    const said = text(child.stderr!);
    const [code] = (await once(child, 'close')) as [number | null];
    expect({ code, said: await said }).toEqual({
      code: 1,
      said: 'tollcast: standard output cannot be written (ENOSPC); what was done is done\n',
    });
  });

  test('no card: one line, exit status 3', async () => {
    const { code, stdout, stderr } = await tollcast('card', 'info', '--card', second);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toBe(`tollcast: there is no card in ${second}; insert one, or name another reader\n`);
  });

  test('a card that is not a decode module: one line, exit status 6; --debug shows more', async () => {
    cards.push(await VpcdCard.insert({ port: pcscd.ports[1], atr: fromHex('3b00'), answer: () => fromHex('6a82') }));
    const { code, stderr } = await tollcast('card', 'info', '--wait', '--card', second);
    expect(code).toBe(6);
    expect(stderr.split('\n').slice(-2)).toEqual([
      'tollcast: the card answered 6A82 to SELECT: no such application, receipt or record; check the card, or the number',
      '',
    ]);
    const debug = await tollcast('card', 'info', '--debug', '--card', second);
    expect(debug.stderr).toContain('decode-module.ts');
  });
});

describe('the command line', () => {
  test.each([
    [['crad'], "tollcast: unknown command 'crad' (Did you mean card?)"],
    [['card', 'info', '--cart', 'soft'], "tollcast: unknown option '--cart' (Did you mean --card?)"],
    [['card', 'apdu'], "tollcast: missing required argument 'command'; see: tollcast card apdu --help"],
    [['card', 'unlock'], "tollcast: unknown command 'unlock'; see: tollcast card --help"],
    [
      ['issuer', 'load'],
      "tollcast: required option '--amount <amount>' not specified; see: tollcast issuer load --help",
    ],
    [
      ['issuer', 'show', 'x'],
      "tollcast: too many arguments for 'show'. Expected 0 arguments but got 1: x; see: tollcast issuer show --help",
    ],
    [['card', 'apdu', 'zz'], 'tollcast: "zz" is not hexadecimal; write pairs of 0-9 and A-F, as in "00 A4 04 00"'],
    [
      ['card', 'info', '--card', 'tcp:x'],
      'tollcast: "tcp:x" is not tcp:HOST:PORT with a port of 1 to 65535, as in tcp:127.0.0.1:35963',
    ],
  ])('%j is refused in one line with exit status 2', async (words, line) => {
    const { code, stdout, stderr } = await tollcast(...words);
    expect({ code, stdout, stderr: stderr.trimEnd() }).toEqual({ code: 2, stdout: '', stderr: line });
  });

  test('help and version end with status 0', async () => {
    expect(await printed('--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await printed('card', '--help')).toContain('list');
  });
});
