import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { openSecureChannel } from '../../apdu/secure-channel/secure-channel.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import { startCard } from '../../card-sim/index.ts';
import { personalise, TestNetwork, type TestService } from './streams/test-service.ts';
import { TOLLCAST } from './tollcast-cli.ts';

/** A `tollcast watch` that runs. */
export interface Watch {
  readonly child: ChildProcess;
  readonly out: () => Buffer;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

/** Where `tollcast watch` is tried: a folder with a soft card, and a network. */
export class WatchDesk {
  directory = '';
  cardId: Uint8Array = new Uint8Array();
  readonly children: ChildProcess[] = [];
  #network: TestNetwork | undefined;

  async open(): Promise<void> {
    this.directory = await mkdtemp(join(tmpdir(), 'tollcast-watch-'));
    this.#network = await TestNetwork.open();
  }

  async close(): Promise<void> {
    for (const child of this.children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    await this.#network?.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  get network(): TestNetwork {
    if (this.#network === undefined) throw new Error('the desk is not open');
    return this.#network;
  }

  /** File of the card. */
  get state(): string {
    return join(this.directory, 'card');
  }

  async makeCard(credit: bigint): Promise<void> {
    await using card = await startCard({ kind: 'soft', state: this.state });
    this.cardId = await personalise(card, 3, credit);
  }

  /** Through the card's secure channel, as its issuer does. */
  async administer(work: (secure: DecodeModule) => Promise<void>): Promise<void> {
    await using card = await startCard({ kind: 'soft', state: this.state });
    const channel = await card.channel();
    await new DecodeModule(channel).select();
    await work(new DecodeModule(await openSecureChannel(channel, TEST_KEY_SET)));
    await channel.close();
  }

  tollcast(...args: readonly string[]): Watch {
    const child = spawn(process.execPath, [TOLLCAST, 'watch', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.children.push(child);
    const out: Buffer[] = [];
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(child, 'close').then(([code]) => code as number | null);
    return { child, out: () => Buffer.concat(out), said: () => said, ended };
  }

  /** Watches the service of this network with this card, at any price. */
  watch(...args: readonly string[]): Watch {
    const at = ['--address', `${this.network.address}:${this.network.port}`, '--card', `soft:${this.state}`];
    return this.tollcast(...at, '--yes', ...args);
  }

  /** Sends keys until somebody has them, then groups of 10 packets. */
  async send(run: Watch, service: TestService, payloads: readonly Uint8Array[]): Promise<void> {
    for (let tries = 0; !run.said().includes('listening'); tries++) {
      if (tries > 1000 || run.child.exitCode !== null) throw new Error(`it does not listen: ${run.said()}`);
      await sleep(10);
    }
    for (let i = 0; i < 4; i++) {
      this.network.keys(service.keys());
      await sleep(50);
    }
    await this.network.groups(service.seal(payloads));
  }
}
