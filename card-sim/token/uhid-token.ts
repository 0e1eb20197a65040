import { closeSync, openSync, read, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { TransportError } from '../../apdu/errors.ts';
import { FRAME_LENGTH } from '../../apdu/token/frame.ts';
import { type Clock, systemClock } from '../../host/clock/clock.ts';
import type { SimulatedCard } from '../simulator/simulated-card.ts';
import { REPORT_DESCRIPTOR } from './report-descriptor.ts';
import { createTokenCard } from './token-card.ts';
import { TokenDevice } from './token-device.ts';

const DEVICE = '/dev/uhid';
/** Kinds of events of linux/uhid.h. */
const UHID = {
  DESTROY: 1,
  STOP: 3,
  OUTPUT: 6,
  GET_REPORT: 9,
  GET_REPORT_REPLY: 10,
  CREATE2: 11,
  INPUT2: 12,
  SET_REPORT: 13,
  SET_REPORT_REPLY: 14,
} as const;
/** Octets of struct uhid_event, which is packed: the kind, and the longest of its forms. */
const EVENT_LENGTH = 4 + 4_372;
const AT = {
  name: 4,
  uniq: 4 + 128 + 64,
  descriptorLength: 260,
  bus: 262,
  vendor: 264,
  product: 268,
  descriptor: 280,
  output: { data: 4, size: 4 + 4096 },
  input: { size: 4, data: 6 },
  report: { id: 4, error: 8 },
} as const;
const BUS_USB = 3;
/** What pid.codes sets aside for tests. */
const VENDOR = 0x1209;
const PRODUCT = 0x0001;
const MAX_NAME = 127;
const MAX_SERIAL = 63;
/** EOPNOTSUPP: a token has no feature reports. */
const NOT_SUPPORTED = 95;

const readAsync = promisify(read);

/** A token that this machine's kernel takes for a USB device, with a card of ours in it; Linux, by uhid. */
export class UhidToken implements AsyncDisposable {
  readonly #file: number;
  readonly #device: TokenDevice;
  readonly #end: Promise<void>;
  #isClosed = false;

  /**
   * Plugs it in.
   * @param serial its serial number, 1 to 63 characters.
   * @throws TransportError `NO_UHID` when the kernel has no uhid, or this user may not use it.
   */
  static plugIn(card: SimulatedCard, serial: string, clock: Clock = systemClock): UhidToken {
    let file: number;
    try {
      file = openSync(DEVICE, 'r+');
    } catch (cause) {
      const text = `${DEVICE} cannot be opened; as root: modprobe uhid, and run this as root`;
      throw new TransportError('NO_UHID', text, { cause });
    }
    return new UhidToken(file, card, serial, clock);
  }

  private constructor(file: number, card: SimulatedCard, serial: string, clock: Clock) {
    this.#file = file;
    this.#device = new TokenDevice({ card: createTokenCard(card), clock, send: (frame) => this.#send(frame) });
    const event = createEvent(UHID.CREATE2);
    event.write('Tollcast token'.slice(0, MAX_NAME), AT.name, 'latin1');
    event.write(serial.slice(0, MAX_SERIAL), AT.uniq, 'latin1');
    event.writeUInt16LE(REPORT_DESCRIPTOR.length, AT.descriptorLength);
    event.writeUInt16LE(BUS_USB, AT.bus);
    event.writeUInt32LE(VENDOR, AT.vendor);
    event.writeUInt32LE(PRODUCT, AT.product);
    event.set(REPORT_DESCRIPTOR, AT.descriptor);
    writeSync(file, event);
    this.#end = this.#read();
  }

  async #read(): Promise<void> {
    const event = Buffer.alloc(EVENT_LENGTH);
    for (;;) {
      await readAsync(this.#file, event, 0, EVENT_LENGTH, null);
      switch (event.readUInt32LE(0)) {
        case UHID.OUTPUT:
          this.#receive(event);
          break;
        case UHID.GET_REPORT:
          this.#refuse(UHID.GET_REPORT_REPLY, event);
          break;
        case UHID.SET_REPORT:
          this.#refuse(UHID.SET_REPORT_REPLY, event);
          break;
        case UHID.STOP:
          if (this.#isClosed) return;
          break;
        default: // START, OPEN and CLOSE
      }
    }
  }

  #receive(event: Buffer): void {
    const size = event.readUInt16LE(AT.output.size);
    // hidraw leaves the report id in front, which is 0 where there are none.
    const at = AT.output.data + (size > FRAME_LENGTH ? 1 : 0);
    this.#device.receive(Uint8Array.from(event.subarray(at, AT.output.data + size)));
  }

  #refuse(kind: number, asked: Buffer): void {
    const event = createEvent(kind);
    event.writeUInt32LE(asked.readUInt32LE(AT.report.id), AT.report.id);
    event.writeUInt16LE(NOT_SUPPORTED, AT.report.error);
    writeSync(this.#file, event);
  }

  #send(frame: Uint8Array): void {
    if (this.#isClosed) return;
    const event = createEvent(UHID.INPUT2);
    event.writeUInt16LE(frame.length, AT.input.size);
    event.set(frame, AT.input.data);
    writeSync(this.#file, event);
  }

  /** Unplugs it, in mid-command or not; the card keeps what it has written. */
  async unplug(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#device.pull();
    writeSync(this.#file, createEvent(UHID.DESTROY));
    // The kernel answers with STOP, which ends the reading.
    await this.#end;
    closeSync(this.#file);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unplug();
  }
}

function createEvent(kind: number): Buffer {
  const event = Buffer.alloc(EVENT_LENGTH);
  event.writeUInt32LE(kind, 0);
  return event;
}
