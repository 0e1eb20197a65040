import { type Command, Option } from 'commander';
import { type ModuleClass, parseCardId } from '../../../apdu/decode-module/card-id.ts';
import { MAX_PACKETS } from '../../../apdu/decode-module/packets/card-part.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { openGrantedCards } from '../../headend/keys/grants/granted-cards.ts';
import { parseQuantum } from '../../headend/keys/grants/quantum.ts';
import { KeyManager } from '../../headend/keys/key-manager.ts';
import { openGrantNumbers } from '../../headend/keys/numbers/grant-numbers.ts';
import { lockService } from '../../headend/keys/numbers/service-lock.ts';
import { MIN_PERIOD } from '../../headend/keys/schedules/key-schedule.ts';
import { chooseProfile, limitGroups, type ProfileMode } from '../../headend/sender/sealing-profile.ts';
import { completeAddress, type ServiceAddress } from '../../headend/sender/service-ports.ts';
import { ServiceSender, type ServiceTotals } from '../../headend/sender/service-sender.ts';
import { startStream } from '../../headend/sender/stream-start.ts';
import { MAX_RATE, MIN_RATE } from '../../headend/sources/rate-packer.ts';
import { SOURCE_FORMATS, type SourceFormat } from '../../headend/sources/source-format.ts';
import { DEFAULT_STORE } from '../../issuer/keys/key-store.ts';
import { formatPrice, parsePrice, type Price } from '../../money/price.ts';
import { loadOpensslAead } from '../../transport/crypto/node-openssl-aead.ts';
import { type MulticastAddress, parseMulticastAddress } from '../../transport/network/multicast-address.ts';
import { decimalNumber, wholeNumber } from '../options/number-option.ts';
import { addPassphraseOptions, askPassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';
import { addOperatorCommands } from './operator-commands.ts';
import { nameSource, openSendSource, requireOneSource } from './send-source.ts';
import { addServeCommands } from './serve-command.ts';

interface SendOptions extends PassphraseOptions {
  source?: string;
  file?: string;
  passes?: number;
  address: MulticastAddress;
  price: Price;
  service: number;
  mode: ProfileMode;
  every?: number;
  span?: number;
  closingTime: number;
  keyPeriod: number;
  segment?: number;
  quantum?: string;
  accept?: ModuleClass;
  rating?: number;
  grant: string[];
  days: number;
  store: string;
  format: 'auto' | SourceFormat;
  rate?: number;
  speed: number;
  lead: number;
  interface: string;
  ttl: number;
  keyPort?: number;
  endAtStop?: true;
  json?: true;
}

const DAY = 86_400;

/** Adds `tollcast headend` with its commands to the program. */
export function addHeadendCommand(program: Command): void {
  const headend = program.command('headend').description('send pay streams');
  addPassphraseOptions(headend.command('send').description('seal a source and send it with its keys'))
    .option('--source <source>', 'a stream: a file, - for standard input, udp:// or rtp://ADDRESS:PORT')
    .option('--file <file>', 'a file for everybody to have whole: sent again and again, with its name and SHA-256')
    .option('--passes <n>', 'how often --file is sent (default: until it is stopped)', wholeNumber(1, 1_000_000))
    .requiredOption(
      '--address <address:port>',
      'required: where to send, as in 239.1.2.3:5000; the port is even, RTCP takes the next',
      parseMulticastAddress,
    )
    .requiredOption('--price <price>', 'required: "0.25 USD/MB", "2.00 USD/h", "1.50 USD/segment" or free', parsePrice)
    .option('--service <n>', 'number of the service', wholeNumber(1, 0xffff_ffff), 1)
    .addOption(
      new Option(
        '--mode <mode>',
        'what is outside the span is sealed or left open; strict: everything goes through the card',
      )
        .choices(['sealed', 'open', 'strict'])
        .default('sealed'),
    )
    .option('--every <n>', 'every nth packet is a card packet (default: 100)', wholeNumber(1, MAX_PACKETS))
    .option('--span <octets>', 'octets through the card, in steps of 16 (default: 64)', wholeNumber(16, 208))
    .option('--closing-time <ms>', 'longest time that a group lasts', wholeNumber(200, 1000), 250)
    .option('--key-period <seconds>', 'longest time that a content key lasts', wholeNumber(MIN_PERIOD, DAY), 300)
    .option(
      '--segment <seconds>',
      'length of a segment (default: one segment for all)',
      wholeNumber(MIN_PERIOD, 366 * DAY),
    )
    .option('--quantum <amount>', 'what a card takes at a time (default: the toll of 2.1 MB or 10 s)')
    .addOption(new Option('--accept <class>', 'only modules of this class may watch').choices(['card', 'soft']))
    .option('--rating <age>', 'only cards whose rating limit allows this age may watch', wholeNumber(1, 255))
    .addOption(new Option('--grant <card-id...>', 'ids of the cards that get the service key').default([], 'none'))
    .option('--days <n>', 'days for which they get it; the service goes on', wholeNumber(1, 366), 30)
    .option('--store <directory>', 'the issuer store that made these cards', DEFAULT_STORE)
    .addOption(
      new Option('--format <format>', 'format of the source').choices(['auto', ...SOURCE_FORMATS]).default('auto'),
    )
    .option(
      '--rate <bit/s>',
      'pace of the source (default: its own clock, or its arrival; a file of data: 10000000)',
      wholeNumber(MIN_RATE, MAX_RATE),
    )
    .option('--speed <factor>', 'play the source faster or slower', decimalNumber(0.1, 1000), 1)
    .option('--lead <seconds>', 'time for which keys are sent before the first packet', decimalNumber(0, 60), 0.3)
    .option('--interface <address>', 'address of the interface to send by', '127.0.0.1')
    .option('--ttl <hops>', 'networks that a packet may cross', wholeNumber(0, 255), 1)
    .option('--key-port <port>', 'port of the key messages (default: the media port + 2)', wholeNumber(1, 65_535))
    .option('--end-at-stop', 'a stop of a live source ends the programme: viewers do not wait for it to come back')
    .option('--json', 'end standard output with one line of JSON')
    .action(send);
  addServeCommands(headend);
  addOperatorCommands(headend);
}

async function send(options: SendOptions): Promise<void> {
  const { price, accept } = options;
  requireOneSource(options);
  const profile = chooseProfile(options);
  const to = completeAddress({
    ...options.address,
    keyPort: options.keyPort,
    interface: options.interface,
    ttl: options.ttl,
  });
  const quantum = options.quantum === undefined ? undefined : parseQuantum(options.quantum, price);
  const terms = { accept, currency: price.currency };
  const cards = await openGrantedCards(options.grant.map(parseCardId), terms, options.store, () =>
    askPassphrase(options),
  );
  // Without a grant no key is made for anybody, and nothing is numbered in the store.
  const lock = cards.length === 0 ? undefined : lockService(options.store, options.service);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt).once('SIGHUP', interrupt);
  try {
    say(`reading ${nameSource(options)}`);
    const { media, format, isLive, file } = await openSendSource(options, profile, stop.signal);
    if (stop.signal.aborted) return;
    if (file !== undefined) say(`file ${file.name}: ${file.length} octets, SHA-256 ${toHex(file.digest)}`);
    const stream = startStream();
    const sale = {
      service: options.service,
      price,
      quantum,
      accept,
      rating: options.rating,
      cards,
      granted: options.days * DAY,
    };
    const keys = await KeyManager.start(
      { ...sale, stream, groupLimits: limitGroups(profile), period: options.keyPeriod, segment: options.segment },
      openGrantNumbers(options.store),
    );
    const sender = new ServiceSender({
      stream,
      source: { media, format, isLive, rate: options.rate, file },
      profile: { ...profile, aead: await loadOpensslAead() },
      keys,
      to,
      pace: { speed: options.speed, lead: options.lead * 1000 },
      endsAtStop: options.endAtStop === true,
      onWrongRate: (measured) =>
        say(`--rate ${options.rate} does not fit, the source has ${measured} bit/s; leave --rate out, or correct it`),
      onKey: ({ id, segmentId }) => say(`content key ${id} of segment ${segmentId}`),
    });
    say(
      `service ${options.service}: ${nameSource(options)} (${file === undefined ? format : 'a file'}) to ${to.address}:${to.port} by ${to.interface}, ` +
        `keys to port ${to.keyPort}, ${options.mode}, card packet 1 in ${profile.every}, span ${profile.span}, ` +
        `${formatPrice(price)}, ${cards.length} ${cards.length === 1 ? 'card' : 'cards'} granted`,
    );
    if (cards.length === 0) say('no card is granted the service key: only who bought it before can watch; see --grant');
    const started = performance.now();
    await sender.run(stop.signal);
    await keys.close();
    const seconds = Math.round(performance.now() - started) / 1000;
    if (isLive && stop.signal.aborted && options.endAtStop !== true) say('viewers wait for the service to come back');
    printTotals(options, { to, format, totals: sender.totals, seconds, stopped: stop.signal.aborted });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', interrupt);
    lock?.[Symbol.dispose]();
  }
}

/** What a run came to. */
interface SendResult {
  readonly to: ServiceAddress;
  readonly format: SourceFormat;
  readonly totals: ServiceTotals;
  readonly seconds: number;
  /** Whether it was interrupted. */
  readonly stopped: boolean;
}

/** @throws TollcastError `EMPTY_SOURCE` when nothing was sent and nobody interrupted it. */
function printTotals(options: SendOptions, { to, format, totals, seconds, stopped }: SendResult): void {
  const { service, json } = options;
  const { octets, duration, groups } = totals;
  if (octets === 0 && !stopped) {
    throw new TollcastError(
      'EMPTY_SOURCE',
      `${nameSource(options)} was empty, nothing was sent; name another --source`,
    );
  }
  say(`${stopped ? 'stopped' : 'end of the source'}: ${octets} octets, ${duration} ms in ${groups} groups`);
  if (json !== true) return;
  const { address, port, keyPort } = to;
  process.stdout.write(`${JSON.stringify({ service, address, port, keyPort, format, ...totals, seconds })}\n`);
}

/** Status goes to standard error: standard output is for programs. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
