import type { SimulatedCard } from '../../../card-sim/index.ts';
import { createTokenCard, type TokenCard } from '../../../card-sim/token/token-card.ts';
import { TokenDevice } from '../../../card-sim/token/token-device.ts';
import type { Clock } from '../../../host/clock/clock.ts';
import type { InTransfer, OutTransfer, TokenUsbDevice } from '../../../host/transport/card/webusb/usb-device.ts';

export interface MemoryUsbOptions {
  readonly card: SimulatedCard;
  readonly clock: Clock;
  readonly serial?: string;
  /** Puts something between the token and its card. */
  readonly wrap?: (card: TokenCard) => TokenCard;
  readonly type?: 'bulk' | 'interrupt';
  readonly packetSize?: number;
  readonly interfaceClass?: number;
}

const INTERFACE = 1;
const IN = 2;
const OUT = 3;

/**
 * A token by the W3C's `USBDevice` without a wire. It holds whoever uses it to the order of the WebUSB API: open,
 * configure, claim, transfer; what is wrong is an error of the name that the API says.
 */
export class MemoryUsbDevice implements TokenUsbDevice {
  readonly vendorId = 0x1209;
  readonly productId = 0x0001;
  readonly serialNumber: string;
  readonly device: TokenDevice;
  readonly #options: MemoryUsbOptions;
  readonly #packets: Uint8Array[] = [];
  /** The transfers that wait, and how each is ended. */
  readonly #pending = new Set<(error: Error) => void>();
  #wake: (() => void) | undefined;
  #isOpen = false;
  #isPulled = false;
  #isConfigured = false;
  #isClaimed = false;
  /** Whether another program has the interface. */
  isClaimedElsewhere = false;
  isDenied = false;
  readonly cleared: string[] = [];

  /** What becomes of a packet to the token: by default it arrives. */
  onOut: (data: Uint8Array) => OutTransfer | Promise<OutTransfer> | 'arrives' = () => 'arrives';
  /** What becomes of a packet from the token: by default it is what is transferred. */
  onIn: (data: Uint8Array) => readonly InTransfer[] = (data) => [{ status: 'ok', data: viewOf(data) }];
  readonly #transfers: InTransfer[] = [];

  constructor(options: MemoryUsbOptions) {
    this.#options = options;
    this.serialNumber = options.serial ?? 'A1';
    const { card, clock, wrap = (inside) => inside } = options;
    this.device = new TokenDevice({ card: wrap(createTokenCard(card)), clock, send: (frame) => this.#answer(frame) });
  }

  get opened(): boolean {
    return this.#isOpen;
  }

  get configuration() {
    if (!this.#isConfigured) return null;
    const { type = 'bulk', packetSize = 64, interfaceClass = 0xff } = this.#options;
    const endpoint = (endpointNumber: number, direction: 'in' | 'out') =>
      ({ endpointNumber, direction, type, packetSize }) as const;
    const keyboard = { interfaceClass: 3, interfaceSubclass: 1, interfaceProtocol: 1, endpoints: [endpoint(1, 'in')] };
    const token = {
      interfaceClass,
      interfaceSubclass: 0x54,
      interfaceProtocol: 0x43,
      endpoints: [endpoint(IN, 'in'), endpoint(OUT, 'out')],
    };
    return {
      interfaces: [
        { interfaceNumber: 0, alternate: keyboard },
        { interfaceNumber: INTERFACE, alternate: token },
      ],
    };
  }

  async open(): Promise<void> {
    this.#requirePlugged();
    if (this.isDenied) throw nameError('SecurityError', 'Access denied.');
    this.#isOpen = true;
  }

  async selectConfiguration(): Promise<void> {
    this.#requireOpen();
    this.#isConfigured = true;
  }

  async claimInterface(interfaceNumber: number): Promise<void> {
    this.#requireOpen();
    if (interfaceNumber !== INTERFACE) throw nameError('NotFoundError', 'no such interface');
    if (this.isClaimedElsewhere) throw nameError('NetworkError', 'Unable to claim interface.');
    this.#isClaimed = true;
  }

  async transferIn(endpointNumber: number, length: number): Promise<InTransfer> {
    this.#requireClaimed(endpointNumber, IN);
    if (length % (this.#options.packetSize ?? 64) !== 0)
      throw nameError('OperationError', 'length of a part of a packet');
    while (this.#transfers.length === 0) await this.#wait((wake) => (this.#wake = wake));
    return this.#transfers.shift()!;
  }

  async transferOut(endpointNumber: number, data: Uint8Array): Promise<OutTransfer> {
    this.#requireClaimed(endpointNumber, OUT);
    const outcome = this.onOut(data);
    if (outcome !== 'arrives') {
      const { promise, resolve } = Promise.withResolvers<void>();
      const result = Promise.resolve(outcome).then((transfer) => {
        resolve();
        return transfer;
      });
      await this.#wait((wake) => void promise.then(wake));
      return result;
    }
    queueMicrotask(() => this.device.receive(data.slice()));
    return { status: 'ok', bytesWritten: data.length };
  }

  async clearHalt(direction: 'in' | 'out', endpointNumber: number): Promise<void> {
    this.#requireClaimed(endpointNumber, direction === 'in' ? IN : OUT);
    this.cleared.push(direction);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#isClaimed = false;
    this.#endTransfers('AbortError', 'The device was closed.');
  }

  /** Unplugs it; the card keeps what it has written. */
  pull(): void {
    this.#isPulled = true;
    this.device.pull();
    this.#endTransfers('NetworkError', 'The device was disconnected.');
  }

  #answer(frame: Uint8Array): void {
    this.#packets.push(frame);
    this.#transfers.push(...this.onIn(frame));
    this.#wake?.();
  }

  #endTransfers(name: string, text: string): void {
    for (const end of this.#pending) end(nameError(name, text));
    this.#pending.clear();
  }

  async #wait(start: (wake: () => void) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending.add(reject);
    start(resolve);
    try {
      await promise;
    } finally {
      this.#pending.delete(reject);
    }
  }

  #requirePlugged(): void {
    if (this.#isPulled) throw nameError('NotFoundError', 'The device was disconnected.');
  }

  #requireOpen(): void {
    this.#requirePlugged();
    if (!this.#isOpen) throw nameError('InvalidStateError', 'The device must be opened first.');
  }

  #requireClaimed(endpointNumber: number, endpoint: number): void {
    this.#requireOpen();
    if (!this.#isClaimed || endpointNumber !== endpoint) {
      throw nameError('NotFoundError', 'The endpoint is not part of a claimed interface.');
    }
  }
}

/** A packet as the API hands it over, in the middle of a larger buffer. */
function viewOf(data: Uint8Array): DataView {
  const buffer = new Uint8Array(data.length + 16);
  buffer.set(data, 8);
  return new DataView(buffer.buffer, 8, data.length);
}

function nameError(name: string, text: string): Error {
  const error = new Error(text);
  error.name = name;
  return error;
}
