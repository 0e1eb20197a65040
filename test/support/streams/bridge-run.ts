import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedCard } from '../../../card-sim/index.ts';
import { Bridge, type BridgeEnd, type BridgeOptions, receiveService } from '../../../host/bridge/index.ts';
import { joinRtpPackets, type ClearPackets } from '../../../host/stream/opening/clear-packets.ts';
import type { ClearSink } from '../../../host/stream/opening/clear-sink.ts';
import { nodeAead } from '../../../host/transport/crypto/node-aead.ts';
import type { TestNetwork } from './test-service.ts';

/** Keeps all that a bridge delivers. */
export class MemorySink implements ClearSink {
  isReady = true;
  onReady: (() => void) | undefined;
  readonly packets: Uint8Array[] = [];
  readonly #payloads: Uint8Array[] = [];

  write(clear: ClearPackets): void {
    this.#payloads.push(clear.payload.slice());
    this.packets.push(...joinRtpPackets(clear));
  }

  /** The stream of payloads. */
  get payload(): Buffer {
    return Buffer.concat(this.#payloads);
  }
}

/** A bridge that runs, hears a network and has a card. */
export interface BridgeRun {
  readonly bridge: Bridge;
  readonly sink: MemorySink;
  readonly notices: string[];
  /** The states it went through. */
  readonly states: string[];
  readonly end: Promise<BridgeEnd>;
  /** Waits until something is so. */
  until(what: () => boolean): Promise<void>;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<BridgeEnd>;
}

export async function startBridge(
  network: TestNetwork,
  card: SimulatedCard,
  options: Partial<BridgeOptions> = {},
): Promise<BridgeRun> {
  const sink = new MemorySink();
  const notices: string[] = [];
  const states: string[] = [];
  const bridge = new Bridge({
    open: () => card.channel(),
    sink,
    aead: nodeAead,
    onNotice: (line) => notices.push(line),
    onState: ({ state }) => states.push(state),
    ...options,
  });
  const receiver = await receiveService(network.service, bridge);
  const stopping = new AbortController();
  const runAndClose = async () => {
    try {
      return await bridge.run(stopping.signal);
    } finally {
      await receiver.close();
    }
  };
  const end = runAndClose();
  end.catch(() => undefined);
  return {
    bridge,
    sink,
    notices,
    states,
    end,
    async until(what) {
      for (let tries = 0; !what(); tries++) {
        if (tries > 1500)
          throw new Error(`it does not come to pass; status ${JSON.stringify(bridge.status, writeBigint)}`);
        await sleep(10);
      }
    },
    stop() {
      stopping.abort();
      return end;
    },
  };
}

function writeBigint(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
