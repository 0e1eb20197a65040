import type { Command } from 'commander';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { Bridge, type BridgeEnd, type BridgeStatus, receiveService, type ServiceAddress } from '../../bridge/index.ts';
import type { Pin } from '../../holder/pin.ts';
import { openOutput, OUTPUT_SYNTAX } from '../../player/open-output.ts';
import type { FileProgress } from '../../player/output.ts';
import { CARD_ADDRESS_SYNTAX, createCardOpener, parseCardAddress } from '../../transport/card/card-address.ts';
import { nodeAead } from '../../transport/crypto/node-aead.ts';
import { loadOpensslAead } from '../../transport/crypto/node-openssl-aead.ts';
import { loadOpensslCbc } from '../../transport/crypto/node-openssl-cbc.ts';
import {
  chooseKeyPort,
  type MulticastAddress,
  parseMulticastAddress,
} from '../../transport/network/multicast-address.ts';
import { tellCommands } from '../card/card-trace.ts';
import { TRACE_OPTION } from '../options/card-option.ts';
import { addHeadEndOptions, type HeadEndOptions } from '../options/head-end-option.ts';
import { wholeNumber } from '../options/number-option.ts';
import { addPriceOptions, type PriceOptions } from '../options/price-option.ts';
import { addSource } from '../options/source-option.ts';
import { askPin } from '../terminal/pin-entry.ts';
import { PIN_PAD_OPTION, tellPinEntry } from '../terminal/pin-pad.ts';
import { chooseChannel } from './choose-channel.ts';
import { ConfirmFile } from './confirm-file.ts';
import { JoinedChannel } from './joined-channel.ts';
import { PriceDecision } from './price-decision.ts';
import { StatusPrinter } from './status-printer.ts';
import { billToJson, describeBill, describeCharge, describeFile, describeStopReason } from './watch-view.ts';

interface WatchOptions extends PriceOptions, HeadEndOptions {
  address?: MulticastAddress;
  keyPort?: number;
  source?: readonly string[];
  service?: number;
  card: string;
  wait?: true;
  waitForCredit?: true;
  pin?: true;
  pinFile?: string;
  pinPad?: true;
  confirms?: string;
  minShare?: number;
  out: string;
  overwrite?: true;
  json?: true;
  quiet?: true;
  trace?: true;
}

/** ms within which the card must be there to leave a channel. */
const LAST_OPEN = 5000;

/** Adds `tollcast watch` to the program. */
export function addWatchCommand(program: Command): void {
  const command = program
    .command('watch')
    .description('receive a pay stream, let a card open it and pass it on to a player')
    .argument('[channel]', 'name of a channel that is offered; it is joined, kept and left by itself');
  addHeadEndOptions(command)
    .option(
      '--address <address:port>',
      'address of the stream, as in 239.1.2.3:5000, where no channel is named',
      parseMulticastAddress,
    )
    .option('--key-port <port>', 'port of the key messages (default: the media port + 2)', wholeNumber(1, 65_535))
    .option(
      '--source <address>',
      'IPv4 address that the stream of --address comes from; what others send is let go (several: give it again)',
      addSource,
    )
    .option(
      '--service <n>',
      'number of the service to open and pay for (default: the first one that the card opens)',
      wholeNumber(1, 0xffff_ffff),
    )
    .option('--card <address>', CARD_ADDRESS_SYNTAX, 'pcsc')
    .option('--wait', 'wait for the card if it is not there at the start')
    .option('--wait-for-credit', 'when credit or spend limit is used up, wait for more instead of ending')
    .option('--pin', 'present the PIN of the card, which is typed or in TOLLCAST_PIN')
    .option('--pin-file <file>', 'present the PIN in this file')
    .option(...PIN_PAD_OPTION)
    .option(
      '--confirms <file>',
      'append what the card confirms of its grants to this file, in hexadecimal, for the operator',
    )
    .option(
      '--min-share <percent>',
      'smallest part of a damaged group that is paid for (default: 50; of a file 100, as it is sent again)',
      wholeNumber(0, 100),
    )
    .option('--out <output>', OUTPUT_SYNTAX, 'stdout')
    .option('--overwrite', 'write over the file that --out names, if there is one');
  addPriceOptions(command)
    .option('--json', 'end standard output with one line of JSON; amounts in micro-units, 1000000 to the unit')
    .option('--quiet', 'print warnings and errors only')
    .option(...TRACE_OPTION)
    .action(watch);
}

async function watch(name: string | undefined, options: WatchOptions): Promise<void> {
  requireOneSource(name, options);
  const card = parseCardAddress(options.card);
  requireFreeStandardOutput(options);
  const pin = await choosePinWay(options);
  const printer = new StatusPrinter(options.quiet === true);
  const decision = new PriceDecision(options, printer);
  // What is not joined has no output: nothing is made, or written over, for it.
  const offer = name === undefined ? undefined : await chooseChannel(name, { ...options, card });
  if (offer !== undefined) await decision.acceptChannel(offer);
  const { address, port, keyPort, sources = [] } = offer?.address ?? addressOf(options);
  const confirms = options.confirms === undefined ? undefined : ConfirmFile.open(options.confirms);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt).once('SIGHUP', interrupt);
  const output = await openOutput(options.out, options.interface, {
    overwrite: options.overwrite === true,
    takesDamaged: options.minShare !== undefined,
  });
  let closing: Promise<void> | undefined;
  const closeOutput = () => (closing ??= output.close());
  let failure: Error | undefined;
  let channel: JoinedChannel | undefined;
  try {
    const openCard = createCardOpener(card, {
      wait: options.wait,
      onWaiting: (reason) => printer.print(`waiting: ${reason.message}`),
      lendAs: 'tollcast watch',
    });
    const warn = (line: string) => printer.warn(line);
    const openTraced = async (signal: AbortSignal) => tellCommands(await openCard(signal), warn);
    const open = async (signal: AbortSignal) =>
      tellPinEntry(await (options.trace === true ? openTraced : openCard)(signal), warn);
    const bridge = new Bridge({
      open,
      sink: output,
      aead: (await loadOpensslAead()) ?? nodeAead,
      makeCipher: await loadOpensslCbc(),
      service: offer?.service ?? options.service,
      pin,
      onCard: () => channel?.cardSelected(),
      onConfirm: (confirm) => {
        failure = confirms?.add(confirm) ?? failure;
        if (failure !== undefined) stop.abort();
        channel?.confirm(confirm);
      },
      acceptsPurchase: (message) => channel?.acceptsPurchase(message) !== false,
      deliverReceipts: async (module) => (await channel?.deliverReceipts(module)) === true,
      waitForCredit: options.waitForCredit === true,
      ...(options.minShare !== undefined && { minShare: options.minShare }),
      decidePrice: decision.decide,
      onNotice: (line) => printer.warn(line),
      onState: (status) => {
        // What was sent before the join came into force is for others.
        const isEarly = channel !== undefined && status.groups === 0 && status.state === 'refused';
        if (!isEarly) printer.printState(status, options.card);
      },
    });
    if (offer !== undefined) channel = new JoinedChannel({ offer, bridge, warn: (line) => printer.warn(line) });
    void channel?.run(stop.signal).catch((error: unknown) => {
      if (stop.signal.aborted) return;
      failure = error instanceof Error ? error : new Error(String(error));
      stop.abort();
    });
    void output.ended.then((error) => {
      failure ??= error;
      stop.abort();
    });
    const started = performance.now();
    const receiver = await receiveService({ address, port, keyPort, sources, interface: options.interface }, bridge);
    let end: BridgeEnd;
    try {
      const kilobytes = Math.round(receiver.media.buffer / 1024);
      printer.print(
        `listening to ${address}:${port} on ${options.interface} (${receiver.media.way}, buffer ${kilobytes} KiB)`,
      );
      const where = `output to ${output.where}`;
      // Without its address no player can open it.
      if (output.where.startsWith('http:')) printer.warn(where);
      else printer.print(where);
      if (decision.warning !== undefined) printer.print(decision.warning);
      printer.follow(bridge.status);
      end = await bridge.run(stop.signal);
    } finally {
      // Nothing is asked for any more, whatever ended it.
      stop.abort();
      printer.stop();
      await receiver.close();
    }
    // What is thrown away in the end stands in the bill.
    await closeOutput();
    for (const line of describeBill(bridge.status, end, output)) printer.print(line);
    const left = await channel?.leave(() => open(AbortSignal.timeout(LAST_OPEN)), pin);
    if (left?.charge !== undefined) printer.print(describeCharge(left.charge));
    if (options.json === true) {
      const seconds = Math.round(performance.now() - started) / 1000;
      process.stdout.write(`${JSON.stringify(billToJson(bridge.status, end, output, seconds, left?.charge))}\n`);
    }
    failure ??= errorOfEnd(end, bridge.status, options.card, decision.refusal) ?? errorOfFile(output.file);
    if (failure !== undefined) throw failure;
  } finally {
    await closeOutput();
    confirms?.close();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', interrupt);
  }
}

/** How the card gets its PIN; undefined where it gets none. @throws OutOfRangeError when two ways are named. */
async function choosePinWay({ pin, pinFile, pinPad }: WatchOptions): Promise<Pin | undefined> {
  if (pinPad !== true) return pin === true || pinFile !== undefined ? askPin(pinFile) : undefined;
  if (pin === true || pinFile !== undefined) throw new OutOfRangeError('name one of --pin, --pin-file and --pin-pad');
  return 'pin pad';
}

/** @throws OutOfRangeError when neither a channel nor an address is named, or both are. */
function requireOneSource(name: string | undefined, { address, keyPort, source, service }: WatchOptions): void {
  if (name === undefined && address === undefined) {
    throw new OutOfRangeError(
      'nothing is named to watch; name a channel (see: tollcast channels), or the address of a stream with --address',
    );
  }
  if (name !== undefined && (address ?? keyPort ?? source ?? service) !== undefined) {
    throw new OutOfRangeError(
      'a channel brings address, key port, sources and service with its offer; leave these options out',
    );
  }
}

/** @throws OutOfRangeError when a port is needed for two things. */
function addressOf(options: WatchOptions): Omit<ServiceAddress, 'interface'> {
  const { address, port } = options.address!;
  return { address, port, keyPort: chooseKeyPort(port, options.keyPort), sources: options.source ?? [] };
}

/** @throws OutOfRangeError when standard output is wanted for two things, or is a terminal. */
function requireFreeStandardOutput({ out, json }: WatchOptions): void {
  if (out !== 'stdout' && out !== '-') return;
  if (json === true)
    throw new OutOfRangeError('--json needs standard output for itself; name another place with --out');
  if (process.stdout.isTTY) {
    throw new OutOfRangeError(
      `standard output is a terminal; pipe it into a player, or name with --out: ${OUTPUT_SYNTAX}`,
    );
  }
}

/** @returns the error of a file that did not come whole. */
function errorOfFile(file: FileProgress | undefined): TollcastError | undefined {
  if (file === undefined || file.isComplete) return undefined;
  return new TollcastError(
    'FILE_INCOMPLETE',
    `${describeFile(file)}; start again with the same --out: what is here is not paid again`,
  );
}

/** @returns the error with which this end of a run is reported; undefined for a success. */
function errorOfEnd(
  end: BridgeEnd,
  status: BridgeStatus,
  card: string,
  refusal: string | undefined,
): TollcastError | undefined {
  if (end.code === 'STOPPED' || (end.code === 'BYE' && status.groups > 0)) return undefined;
  if (end.code === 'BYE') {
    const why =
      status.drops.noKey > 0
        ? `card ${status.card} had no key for what came; ask the operator of the stream`
        : 'nothing whole came';
    return new TollcastError('NOTHING_OPENED', `${end.message}, and nothing of it was opened: ${why}`);
  }
  if (end.code === 'PRICE_NOT_ACCEPTED') return new TollcastError(end.code, refusal ?? end.message);
  return new TollcastError(
    end.code,
    status.stopReason === undefined ? end.message : describeStopReason(status.stopReason, status, card),
  );
}
