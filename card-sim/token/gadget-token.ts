import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, read, write } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rmdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { TransportError } from '../../apdu/errors.ts';
import { FRAME_LENGTH } from '../../apdu/token/frame.ts';
import { type Clock, systemClock } from '../../host/clock/clock.ts';
import type { SimulatedCard } from '../simulator/simulated-card.ts';
import { createTokenCard } from './token-card.ts';
import { TokenDevice } from './token-device.ts';
import { encodeInterface, type UsbForm } from './usb-descriptors.ts';

const GADGETS = '/sys/kernel/config/usb_gadget';
const CONTROLLERS = '/sys/class/udc';
/** What pid.codes sets aside for tests. */
const VENDOR = '0x1209';
const PRODUCT = '0x0001';
const ENGLISH = 'strings/0x409';
/** Of linux/usb/functionfs.h. */
const DESCRIPTORS_MAGIC = 3;
const STRINGS_MAGIC = 2;
const HAS_FULL_SPEED = 1;
const HAS_HIGH_SPEED = 2;
/** Interface and two endpoints. */
const DESCRIPTORS = 3;
const EVENT_LENGTH = 12;
const EVENT_TYPE_AT = 8;
const EVENT = { UNBIND: 1, ENABLE: 2 } as const;
/** Reads and writes that wait in threads of Node's while a token is plugged in. */
const THREADS = 3;
const DEFAULT_THREADS = 4;

const run = promisify(execFile);
const readAsync = promisify(read);
const writeAsync = promisify(write);

interface GadgetOptions extends UsbForm {
  readonly card: SimulatedCard;
  /** 1 to 63 characters. */
  readonly serial: string;
  readonly clock?: Clock;
}

/**
 * A token by its USB interface, with a card of ours in it: a USB gadget of Linux (FunctionFS) on a device controller of
 * this machine, or on an emulated one (dummy_hcd), whose host is this machine too.
 */
export class GadgetToken implements AsyncDisposable {
  readonly #options: GadgetOptions;
  readonly #gadget: string;
  readonly #mount: string;
  readonly #control: number;
  readonly #in: number;
  readonly #out: number;
  #device: TokenDevice | undefined;
  /** Ends when the kernel says that the token is unplugged. */
  #plugged: Promise<void> = Promise.resolve();
  #sent: Promise<unknown> = Promise.resolve();

  /**
   * Makes it, but does not plug it in.
   * @throws TransportError `NO_GADGET` when the kernel has no gadgets, or this user may not make one.
   */
  static async create(options: GadgetOptions): Promise<GadgetToken> {
    requireThreads();
    const gadget = join(GADGETS, `tollcast-${process.pid}-${options.serial}`);
    try {
      await mkdir(gadget);
    } catch (cause) {
      const text =
        `${GADGETS} takes no gadget; as root: modprobe -a libcomposite usb_f_fs dummy_hcd, ` +
        'mount -t configfs none /sys/kernel/config, and run this as root';
      throw new TransportError('NO_GADGET', text, { cause });
    }
    const name = `tollcast-${options.serial}`;
    await describeGadget(gadget, name, options);
    const mount = await mkdtemp(join(tmpdir(), 'tollcast-token-'));
    await run('mount', ['-t', 'functionfs', name, mount]);
    const control = openSync(join(mount, 'ep0'), 'r+');
    for (const octets of [encodeDescriptors(options.endpoints), encodeStrings()]) {
      await writeAsync(control, octets, 0, octets.length, null);
    }
    return new GadgetToken(options, gadget, mount, control);
  }

  private constructor(options: GadgetOptions, gadget: string, mount: string, control: number) {
    this.#options = options;
    this.#gadget = gadget;
    this.#mount = mount;
    this.#control = control;
    // Without O_NONBLOCK a transfer would wait for a host that may never come.
    this.#in = openSync(join(mount, 'ep1'), constants.O_WRONLY | constants.O_NONBLOCK);
    this.#out = openSync(join(mount, 'ep2'), constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** Plugs it in; whatever it said before is forgotten. @throws TransportError `NO_GADGET` where no controller is free. */
  async plugIn(): Promise<void> {
    const { card, clock = systemClock } = this.#options;
    const device = new TokenDevice({ card: createTokenCard(card), clock, send: (frame) => this.#send(frame) });
    await writeFile(join(this.#gadget, 'UDC'), await findController());
    this.#device = device;
    this.#plugged = this.#attend(device);
  }

  /** Follows what the kernel tells of the token until it is unplugged. */
  async #attend(device: TokenDevice): Promise<void> {
    const event = Buffer.alloc(EVENT_LENGTH);
    let reading: Promise<void> | undefined;
    for (;;) {
      try {
        await readAsync(this.#control, event, 0, EVENT_LENGTH, null);
      } catch (error) {
        // A control request that a token does not know is refused by the next read; a signal may come at any time.
        if (isAnyOf(error, 'EL2HLT', 'EINTR')) continue;
        throw error;
      }
      const type = event[EVENT_TYPE_AT];
      if (type === EVENT.ENABLE) reading = this.#read(device);
      if (type === EVENT.UNBIND) break;
    }
    await reading;
  }

  async #read(device: TokenDevice): Promise<void> {
    // A frame may be a whole packet, and a longer read would wait for the next one.
    const frame = Buffer.alloc(FRAME_LENGTH);
    for (;;) {
      try {
        const { bytesRead } = await readAsync(this.#out, frame, 0, FRAME_LENGTH, null);
        device.receive(Uint8Array.from(frame.subarray(0, bytesRead)));
      } catch (error) {
        if (!isAnyOf(error, 'EINTR')) return; // the host let go of the token, or it was unplugged
      }
    }
  }

  #send(frame: Uint8Array): void {
    this.#sent = this.#sent.then(() => this.#write(frame));
  }

  async #write(frame: Uint8Array): Promise<void> {
    for (;;) {
      try {
        return void (await writeAsync(this.#in, frame, 0, frame.length, null));
      } catch (error) {
        // A write that a signal ended has sent nothing.
        if (!isAnyOf(error, 'EINTR')) return;
      }
    }
  }

  /** Unplugs it, in mid-command or not; the card keeps what it has written. */
  async unplug(): Promise<void> {
    if (this.#device === undefined) return;
    this.#device.pull();
    this.#device = undefined;
    await writeFile(join(this.#gadget, 'UDC'), '\n');
    await this.#plugged;
    await this.#sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unplug();
    for (const file of [this.#in, this.#out, this.#control]) closeSync(file);
    await run('umount', [this.#mount]);
    await rmdir(this.#mount);
    await removeGadget(this.#gadget);
  }
}

/** @throws TransportError `NO_GADGET`, as tokens would wait for each other's threads for good. */
function requireThreads(): void {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? DEFAULT_THREADS);
  if (threads > 2 * THREADS) return;
  const text = `two emulated tokens need ${2 * THREADS} threads of Node's; start it with UV_THREADPOOL_SIZE=16`;
  throw new TransportError('NO_GADGET', text);
}

async function describeGadget(gadget: string, name: string, { serial, speed }: GadgetOptions): Promise<void> {
  const folders = [ENGLISH, `functions/ffs.${name}`, 'configs/c.1'];
  for (const folder of folders) await mkdir(join(gadget, folder), { recursive: true });
  const values = {
    idVendor: VENDOR,
    idProduct: PRODUCT,
    max_speed: `${speed}-speed`,
    [`${ENGLISH}/serialnumber`]: serial,
    [`${ENGLISH}/manufacturer`]: 'Tollcast',
    [`${ENGLISH}/product`]: 'Tollcast token',
  };
  for (const [file, value] of Object.entries(values)) await writeFile(join(gadget, file), value);
  await symlink(join(gadget, `functions/ffs.${name}`), join(gadget, `configs/c.1/ffs.${name}`));
}

async function removeGadget(gadget: string): Promise<void> {
  const [functionName = ''] = await readdir(join(gadget, 'functions'));
  await unlink(join(gadget, 'configs/c.1', functionName));
  for (const folder of ['configs/c.1', `functions/${functionName}`, ENGLISH, '']) await rmdir(join(gadget, folder));
}

async function findController(): Promise<string> {
  const gadgets = await readdir(GADGETS);
  const used = await Promise.all(gadgets.map(async (name) => readFile(join(GADGETS, name, 'UDC'), 'ascii')));
  const taken = new Set(used.map((name) => name.trim()));
  const free = (await readdir(CONTROLLERS)).find((name) => !taken.has(name));
  if (free === undefined) {
    const text = 'no USB device controller is free; unplug a token, or as root: modprobe dummy_hcd num=2';
    throw new TransportError('NO_GADGET', text);
  }
  return free;
}

/** What FunctionFS wants first: the descriptors for both speeds, as the host may choose. */
function encodeDescriptors(endpoints: UsbForm['endpoints']): Uint8Array {
  const both = (['full', 'high'] as const).map((speed) => Buffer.from(encodeInterface({ speed, endpoints })));
  const body = Buffer.concat([encodeWords(DESCRIPTORS, DESCRIPTORS), ...both]);
  const head = encodeWords(DESCRIPTORS_MAGIC, 12 + body.length, HAS_FULL_SPEED | HAS_HIGH_SPEED);
  return Buffer.concat([head, body]);
}

/** No strings of its own. */
function encodeStrings(): Uint8Array {
  return encodeWords(STRINGS_MAGIC, 16, 0, 0);
}

function encodeWords(...words: number[]): Buffer {
  const octets = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) octets.writeUInt32LE(word, 4 * i);
  return octets;
}

function isAnyOf(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
