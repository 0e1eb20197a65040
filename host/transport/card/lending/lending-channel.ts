import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import process from 'node:process';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { INS } from '../../../../apdu/decode-module/instruction.ts';
import { STATUS } from '../../../../apdu/decode-module/module-status.ts';
import { statusOf } from '../../../../apdu/iso7816/response-apdu.ts';
import { toHex } from '../../../../apdu/octets.ts';
import type { Clock } from '../../../clock/clock.ts';
import { SerialQueue } from '../serial-queue.ts';
import { Borrower, type CardOnLoan } from './borrower.ts';
import { makeLendingFolder, removeLendingFolder, socketOf } from './lending-folder.ts';
import { type Greeting, writeFrame } from './lending-frames.ts';
import { isModuleSelect, SELECT_MODULE } from './lending-rules.ts';

/** Programs that may borrow the card at once. */
const MAX_BORROWERS = 8;
/** ms after its last command in which a borrower is taken to be at work. */
const BUSY_MS = 1_000;
/** ms for which closing waits for borrowers at work. */
const MAX_FAREWELL_MS = 3_000;
const FAREWELL_STEP_MS = 50;

export interface LendingOptions {
  /** What names the card: all who open it by the same address, however written, come to the same place. */
  readonly place: string;
  /** This program, as in `tollcast watch`. */
  readonly program: string;
  readonly clock: Clock;
}

/**
 * A card of this program that other programs of the same user may borrow, command by command, over a private socket.
 * This program's own commands go out as on any channel, and take turns with theirs.
 */
export class LendingChannel implements CardChannel, CardOnLoan {
  readonly atr: Uint8Array;
  readonly clock: Clock;
  readonly #channel: CardChannel;
  readonly #queue = new SerialQueue();
  readonly #borrowers = new Set<Borrower>();
  #server: Server | undefined;
  #path = '';
  /** Ends the turn in which the owner fetches a list: no other command may come between its parts. */
  #endList: (() => void) | undefined;
  /** What the module last answered to its SELECT. */
  #selected: Uint8Array | undefined;
  /** The VERIFY that the card accepted from the owner; presented again after another program had the card. */
  #verify: Uint8Array | undefined;

  private constructor(channel: CardChannel, clock: Clock) {
    this.#channel = channel;
    this.clock = clock;
    this.atr = channel.atr;
  }

  /** Begins to lend. Where there is no private folder, or no socket can be made, nothing is lent. */
  static async open(channel: CardChannel, options: LendingOptions): Promise<LendingChannel> {
    const lending = new LendingChannel(channel, options.clock);
    // Another program that ends may remove the folder before the socket is in it.
    for (let tries = 0; tries < 2 && lending.#server === undefined; tries++) {
      const folder = makeLendingFolder();
      if (folder !== undefined) await lending.#listen(socketOf(folder, options.place), options.program);
    }
    return lending;
  }

  async #listen(path: string, program: string): Promise<void> {
    rmSync(path, { force: true });
    const greeting: Greeting = { program, process: process.pid, atr: toHex(this.atr) };
    const server = createServer((socket) => this.#accept(socket, greeting));
    server.maxConnections = MAX_BORROWERS;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    server.once('error', () => resolve(false));
    server.listen(path, () => resolve(true));
    if (!(await promise)) return;
    chmodSync(path, 0o600);
    server.unref();
    this.#server = server;
    this.#path = path;
  }

  #accept(socket: Socket, greeting: Greeting): void {
    socket.on('error', () => {}); // 'close' follows
    const borrower = new Borrower(socket, this);
    this.#borrowers.add(borrower);
    socket.on('close', () => this.#borrowers.delete(borrower));
    writeFrame(socket, Buffer.from(JSON.stringify(greeting)));
  }

  /** A command of the owner. */
  transmit(command: Uint8Array): Promise<Uint8Array> {
    const endList = this.#endList;
    if (endList !== undefined) {
      this.#endList = undefined;
      return this.#sendOwn(command, endList);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    void this.#queue.run(() => {
      const turn = Promise.withResolvers<void>();
      this.#sendOwn(command, turn.resolve).then(resolve, reject);
      return turn.promise;
    });
    return promise;
  }

  /** What is entered at the reader is not known here, and not presented again. */
  get enterPin(): CardChannel['enterPin'] {
    const channel = this.#channel;
    return channel.enterPin && ((command) => this.#queue.run(() => channel.enterPin!(command)));
  }

  async #sendOwn(command: Uint8Array, endTurn: () => void): Promise<Uint8Array> {
    let holdsTurn = false;
    try {
      const answer = await this.#channel.transmit(command);
      const status = statusOf(answer);
      holdsTurn = status >>> 8 === STATUS.MORE >>> 8;
      if (holdsTurn) this.#endList = endTurn;
      if (status === STATUS.DONE) this.#remember(command, answer);
      return answer;
    } finally {
      if (!holdsTurn) endTurn();
    }
  }

  #remember(command: Uint8Array, answer: Uint8Array): void {
    if (command[1] === INS.SELECT) {
      this.#verify = undefined;
      if (isModuleSelect(command)) this.#selected = answer.slice();
    } else if (command[1] === INS.VERIFY) {
      this.#verify = command.slice();
    }
  }

  async lend<T>(work: (channel: CardChannel) => Promise<T>): Promise<T> {
    return this.#queue.run(() => work(this.#channel));
  }

  async readSelectAnswer(): Promise<Uint8Array> {
    return this.#selected ?? this.lend((channel) => this.#select(channel));
  }

  async #select(channel: CardChannel): Promise<Uint8Array> {
    const answer = await channel.transmit(SELECT_MODULE);
    this.#selected = statusOf(answer) === STATUS.DONE ? answer.slice() : undefined;
    return answer;
  }

  async restore(channel: CardChannel): Promise<Uint8Array> {
    const answer = await this.#select(channel);
    const verify = this.#verify;
    // The other program may have changed the PIN: no second try is used up.
    this.#verify = undefined;
    const isVerified = verify !== undefined && statusOf(await channel.transmit(verify)) === STATUS.DONE;
    if (isVerified) this.#verify = verify;
    return answer;
  }

  /** Ends the lending, after borrowers that are at work, and closes the card. */
  async close(): Promise<void> {
    this.#endList?.();
    this.#endList = undefined;
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) {
      server.close();
      rmSync(this.#path, { force: true });
      removeLendingFolder(dirname(this.#path));
      await this.#awaitBorrowers();
      for (const borrower of this.#borrowers) borrower.dismiss();
    }
    await this.#channel.close();
  }

  async #awaitBorrowers(): Promise<void> {
    const until = this.clock.monotonic() + MAX_FAREWELL_MS;
    const isBusy = (now: number) => [...this.#borrowers].some(({ lastCommandAt }) => now - lastCommandAt < BUSY_MS);
    for (let now = this.clock.monotonic(); now < until && isBusy(now); now = this.clock.monotonic()) {
      await this.clock.sleep(FAREWELL_STEP_MS);
    }
  }
}
