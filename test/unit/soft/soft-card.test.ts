import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { LIFE } from '../../../apdu/decode-module/select-answer.ts';
import { CardGoneError, FormatError } from '../../../apdu/errors.ts';
import { encodeCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { statusOf } from '../../../apdu/iso7816/response-apdu.ts';
import { PURSE_RECORD, RECEIPT } from '../../../apdu/layout/money.ts';
import { toHex, writeUint } from '../../../apdu/octets.ts';
import { type CardStore, SoftCard, StateFile } from '../../../card-sim/index.ts';
import { KEY_MEMORY_LENGTH } from '../../../card-sim/soft/keys/key-memory.ts';
import { SoftChannel } from '../../../host/transport/card/soft/soft-channel.ts';
import {
  signAcknowledgementUpTo,
  CARD_KEYS,
  sealPart,
  sealContent,
  KEYS,
  signOrder,
  PROFILE,
  sealSegment,
  SERVICE,
  sealService,
} from '../../conformance/messages/messages.ts';
import { activate } from '../../support/cards/activate.ts';

/** In the image: behind what makes the card, its keys and its purchases. */
const RECORDS_AT = 136 + KEY_MEMORY_LENGTH;

const STATE_FILE = new URL('../../../card-sim/soft/memory/state-file.ts', import.meta.url).href;

const folder = mkdtempSync(join(tmpdir(), 'soft-card-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Keeps the image, and lets a test change it. */
class Memory implements CardStore {
  image: Uint8Array | undefined;
  load(): Uint8Array | undefined {
    return this.image;
  }
  save(image: Uint8Array): void {
    this.image = image.slice();
  }
}

async function play(card: SoftCard): Promise<DecodeModule> {
  const channel = new SoftChannel(card);
  const module = new DecodeModule(channel);
  if ((await module.select()).life === 'blank') {
    await activate(channel, PROFILE, KEYS);
    await module.loadCredit(signOrder(1, 10_000_000n));
    await module.loadKey(sealService(1));
  }
  await module.loadKey(sealSegment());
  await module.loadKey(sealContent());
  await module.openSession(SERVICE);
  return module;
}

describe('soft card', () => {
  it('answers nothing without power', () => {
    const card = new SoftCard();
    expect(() => card.transmit(new Uint8Array(4))).toThrow(CardGoneError);
    expect(toHex(card.powerOn())).toBe('3b80800101');
    card.powerOff();
    expect(() => card.transmit(new Uint8Array(4))).toThrow(CardGoneError);
  });

  it.each([
    ['blocked', LIFE.blocked],
    ['terminated', LIFE.terminated],
  ] as const)('knows what a %s card may still be asked', async (life, octet) => {
    const memory = new Memory();
    await play(new SoftCard(memory));
    memory.image![8] = octet;
    const card = new SoftCard(memory);
    const module = new DecodeModule(new SoftChannel(card));
    expect((await module.select()).life).toBe(life);
    const ask = (ins: number, data: Uint8Array): number =>
      statusOf(card.transmit(encodeCommand({ cla: 0x80, ins, p1: 0, p2: 0, data })));
    for (const ins of [INS.CLOSE_SESSION, INS.LIST_KEYS, INS.GET_PURSE]) {
      expect(ask(ins, new Uint8Array(0))).toBe(STATUS.DONE);
    }
    expect(ask(INS.START_LOAD, new Uint8Array(0))).toBe(life === 'blocked' ? STATUS.DONE : STATUS.NOT_NOW);
    expect(ask(INS.ACKNOWLEDGE_RECEIPTS, signAcknowledgementUpTo(0))).toBe(STATUS.DONE);
    expect(ask(INS.GET_RECEIPT, new Uint8Array(0))).toBe(STATUS.NOT_FOUND);
    expect(ask(INS.OPEN_SESSION, new Uint8Array(4))).toBe(STATUS.NOT_NOW);
    expect(ask(INS.LOAD_KEY, sealSegment())).toBe(STATUS.NOT_NOW);
    expect(ask(INS.DELETE_KEY, new Uint8Array(9))).toBe(STATUS.NOT_NOW);
    expect(ask(INS.DECODE, sealPart(1))).toBe(STATUS.NOT_NOW);
    expect(ask(INS.LOAD_CREDIT, signOrder(2, 1n))).toBe(STATUS.NOT_NOW);
    expect(ask(INS.STORE_DATA, new Uint8Array(3))).toBe(STATUS.SECURITY);
  });

  it('counts commands and persistent writes: one for a take, none for a group within it, two for a close', async () => {
    const card = new SoftCard();
    const module = await play(card);
    const writes = async (run: () => Promise<unknown>): Promise<number> => {
      const before = card.counts.persistentWrites;
      await run();
      return card.counts.persistentWrites - before;
    };
    expect(await writes(() => module.decode(sealPart(1)))).toBe(1);
    expect(await writes(() => module.decode(sealPart(2)))).toBe(0);
    expect(await writes(() => module.decode(sealPart(2)))).toBe(0);
    expect(await writes(() => module.closeSession())).toBe(2);
    expect(await writes(() => module.loadCredit(signOrder(1, 10_000_000n)))).toBe(0);
    expect(await writes(() => module.loadCredit(signOrder(2, 1n)))).toBe(1);
    expect(card.counts.commands).toBe(17);
  });

  it('refuses a load that 48 bits could not hold together with the highest credit limit', async () => {
    const memory = new Memory();
    await play(new SoftCard(memory));
    const record = RECORDS_AT + 2 * PURSE_RECORD.length;
    const most = 2 ** 48 - 2 ** 39;
    writeUint(memory.image!, record + 4, 6, most - 15); // loaded
    writeUint(memory.image!, record + 10, 6, most - 15); // spent
    const module = new DecodeModule(new SoftChannel(new SoftCard(memory)));
    await module.select();
    await expect(module.loadCredit(signOrder(2, 16n))).rejects.toMatchObject({ code: 'ABOVE_MAXIMUM_BALANCE' });
    await module.loadCredit(signOrder(2, 15n));
    expect((await module.getPurse()).loaded).toBe(BigInt(most));
  });

  it('shows no key in any answer', async () => {
    const card = new SoftCard();
    const module = await play(card);
    const answers: string[] = [];
    const keep = async (answer: Promise<unknown>): Promise<void> => {
      const value = await answer;
      if (value instanceof Uint8Array) answers.push(toHex(value));
    };
    for (let group = 1; group <= 20; group++) await keep(module.decode(sealPart(group, { mode: 'open' })));
    await keep(module.startLoad());
    await keep(module.loadCredit(signOrder(2, 1n)));
    await module.closeSession();
    await keep(module.getReceipt());
    const all = answers.join(' ');
    expect(answers).toHaveLength(23);
    for (const key of Object.values(CARD_KEYS)) expect(all).not.toContain(toHex(key));
    for (let group = 1; group <= 20; group++)
      expect(all).not.toContain(toHex(new TextEncoder().encode(`group ${group}.`)));
  });
});

describe('the memory of a soft card', () => {
  it('makes it the card that it was then when it is put back, and resets it', async () => {
    const card = new SoftCard();
    const module = await play(card);
    const before = card.memory;
    await module.decode(sealPart(1));
    expect((await module.closeSession())?.groups).toBe(1);
    card.restore(before);
    await expect(module.getPurse()).rejects.toMatchObject({ code: 'NOT_SELECTED' });
    await module.select();
    expect(await module.getPurse()).toMatchObject({ spent: 0n, receiptsWritten: 0 });
  });

  it('of another version is refused, and changes nothing', async () => {
    const card = new SoftCard();
    const module = await play(card);
    const before = card.memory;
    for (const wrong of [new Uint8Array(0), before.subarray(1), new Uint8Array(before.length)]) {
      expect(() => card.restore(wrong)).toThrow(FormatError);
    }
    expect(card.memory).toEqual(before);
    expect(await module.decode(sealPart(1))).not.toHaveLength(0);
  });
});

describe('state file', () => {
  const files: StateFile[] = [];
  afterEach(() => files.splice(0).forEach((file) => file.close()));

  /** The card in a file, after whoever had it has let go. */
  function cardIn(path: string): SoftCard {
    files.splice(0).forEach((file) => file.close());
    const file = new StateFile(path);
    files.push(file);
    return new SoftCard(file);
  }

  it('keeps a card and its torn session over a restart, readable by its owner alone', async () => {
    const path = join(folder, 'card');
    const module = await play(cardIn(path));
    await module.decode(sealPart(1));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const again = await play(cardIn(path));
    expect(await again.getPurse()).toMatchObject({ spent: 250_000n, torn: 250_000n, receiptsWritten: 1 });
    await again.decode(sealPart(1));
    expect(await again.closeSession()).toMatchObject({ number: 2, session: 2, amount: 3_290n });
  });

  it('refuses a file that is not a soft card of this version, and does not change it', async () => {
    const path = join(folder, 'damaged');
    await play(cardIn(path));
    const image = readFileSync(path);
    for (const wrong of [
      image.subarray(1),
      Buffer.concat([image, Buffer.of(0)]),
      Buffer.of(),
      Buffer.alloc(image.length),
    ]) {
      writeFileSync(path, wrong);
      expect(() => cardIn(path)).toThrow(FormatError);
      expect(readFileSync(path)).toEqual(wrong);
    }
    writeFileSync(path, image);
    expect(cardIn(path)).toBeInstanceOf(SoftCard);
  });

  it('that cannot be read is reported with its path and the reason', () => {
    const path = join(folder, 'no such folder', 'card');
    expect(() => new StateFile(path)).toThrow(
      `the soft card ${path} cannot be read (ENOENT); check its folder, or name another file`,
    );
    expect(() => cardIn(folder)).toThrow(`the soft card ${folder} cannot be read (EISDIR)`);
  });

  it('belongs to one program at a time, from opening to closing', async () => {
    const path = join(folder, 'shared');
    const first = await play(cardIn(path));
    expect(() => new StateFile(path)).toThrow(`process ${process.pid} uses the soft card ${path}`);
    await first.decode(sealPart(1, { octets: 1_000_000 }));
    expect((await first.closeSession())?.groups).toBe(1);
    files.splice(0).forEach((file) => file.close());
    cardIn(path);
  });

  it('of version 1, which had no checksum, is read, and gets one with its next change', async () => {
    const path = join(folder, 'version-1');
    writeFileSync(path, gunzipSync(readFileSync(new URL('soft-card-version-1.gz', import.meta.url))), { mode: 0o600 });
    const module = await play(cardIn(path));
    expect(await module.getPurse()).toMatchObject({ loaded: 10_000_000n, spent: 250_000n, torn: 0n });
    expect(await module.getReceipt()).toHaveLength(RECEIPT.length);
    await module.decode(sealPart(2));
    expect(readFileSync(path, 'latin1').slice(0, 6)).toBe('TCSF\0\u0003');
    expect(readFileSync(`${path}.bak`, 'latin1').slice(0, 6)).toMatch(/^TCS/);
    const again = await play(cardIn(path));
    expect(await again.getPurse()).toMatchObject({ loaded: 10_000_000n, spent: 500_000n, torn: 250_000n });
  });

  it('keeps what it was when it was opened beside it, as private as itself', async () => {
    const path = join(folder, 'older');
    await play(cardIn(path));
    files.splice(0).forEach((file) => file.close());
    const before = readFileSync(path);
    const module = await play(cardIn(path));
    await module.decode(sealPart(1));
    expect(readFileSync(`${path}.bak`).equals(before)).toBe(true);
    expect(readFileSync(path).equals(before)).toBe(false);
    expect(statSync(`${path}.bak`).mode & 0o777).toBe(0o600);
  });

  it('that others may read or write is refused, with what to type', async () => {
    const path = join(folder, 'open');
    await play(cardIn(path));
    for (const mode of [0o644, 0o660, 0o602]) {
      chmodSync(path, mode);
      expect(() => cardIn(path)).toThrow(`(mode ${mode.toString(8)}), and so to its keys; type: chmod 600 ${path}`);
    }
    chmodSync(path, 0o600);
    expect(cardIn(path)).toBeInstanceOf(SoftCard);
  });

  it('is private whatever the umask is', () => {
    const path = join(folder, 'umask');
    const umask = process.umask(0);
    try {
      cardIn(path).powerOn();
      cardIn(path).erase();
    } finally {
      process.umask(umask);
    }
    for (const name of readdirSync(folder).filter((entry) => entry.startsWith('umask'))) {
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  it('does not wait for a FIFO that stands where the card or its lock does', () => {
    const path = join(folder, 'fifo');
    for (const name of [`${path}.lock`, `${path}.lock.sqlite`]) spawnSync('mkfifo', [name]);
    // In a process of its own, which could hang.
    const program = `
      const { StateFile } = await import(${JSON.stringify(STATE_FILE)});
      try { new StateFile(${JSON.stringify(path)}).load(); } catch (error) { console.log(error.message); }`;
    const run = (): string =>
      spawnSync(process.execPath, ['--input-type=module', '--eval', program], { timeout: 10_000, encoding: 'utf8' })
        .stdout;
    expect(run()).toContain(`the lock ${path}.lock.sqlite is not a file; remove it and try again`);
    rmSync(`${path}.lock.sqlite`);
    spawnSync('mkfifo', ['-m', '600', path]);
    expect(run()).toContain(`the soft card ${path} is not a file`);
  });

  it('left locked by a process that was killed is taken over, by one of those who try at the same time', async () => {
    const contender = `
      import { createInterface } from 'node:readline';
      const { StateFile } = await import(${JSON.stringify(STATE_FILE)});
      const held = [];
      for await (const line of createInterface(process.stdin)) {
        const [path, at] = line.split(' ');
        while (Date.now() < Number(at));
        try { held.push(new StateFile(path)); console.log('held'); } catch (error) { console.log(error.code); }
      }`;
    const start = () => {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', contender], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
      return { child, answers };
    };
    const contenders = [start(), start()];
    try {
      for (let round = 0; round < 40; round++) {
        const path = join(folder, `contended-${round}`);
        // What a process that was killed leaves: of this version, and of the one before.
        writeFileSync(`${path}.lock`, '4194303\n');
        const at = Date.now() + 30;
        for (const { child } of contenders) child.stdin.write(`${path} ${at}\n`);
        const answers = await Promise.all(contenders.map(async (each) => String((await each.answers.next()).value)));
        expect([round, answers.toSorted()]).toEqual([round, ['CARD_IN_USE', 'held']]);
      }
    } finally {
      for (const { child } of contenders) child.kill('SIGKILL');
    }
    await Promise.all(contenders.map(({ child }) => once(child, 'exit')));
    // Both were killed while they held the locks.
    for (let round = 0; round < 40; round++) cardIn(join(folder, `contended-${round}`));
  });

  it('that cannot be written is reported, and keeps what it held', async () => {
    const path = join(folder, 'kept');
    const older = gunzipSync(readFileSync(new URL('soft-card-version-1.gz', import.meta.url)));
    writeFileSync(path, older, { mode: 0o600 });
    const module = await play(cardIn(path));
    // Nothing can be put beside it: a folder stands there.
    mkdirSync(join(`${path}.new`, 'in the way'), { recursive: true });
    await expect(module.decode(sealPart(2))).rejects.toMatchObject({ code: 'SOFT_CARD_FILE' });
    expect(readFileSync(path).equals(older)).toBe(true);
  });

  it('is not written over when another program has changed it, whatever the lock says', async () => {
    const path = join(folder, 'changed');
    const module = await play(cardIn(path));
    writeFileSync(path, readFileSync(path));
    await expect(module.decode(sealPart(1))).rejects.toMatchObject({ code: 'CARD_IN_USE' });
  });
});
