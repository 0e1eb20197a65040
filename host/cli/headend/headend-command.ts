import { type Command, Option } from 'commander';
import { type ModuleClass, parseCardId } from '../../../apdu/decode-module/card-id.ts';
import { deriveCardKey } from '../../../apdu/decode-module/keys/card-keys.ts';
import { MOST_MONEY } from '../../../apdu/decode-module/keys/ceilings.ts';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { openSource } from '../../headend/sources/open-source.ts';
import { RATE_RANGE } from '../../headend/sources/rate-packer.ts';
import type { ServiceAddress } from '../../headend/sender/service-ports.ts';
import { type ServiceOptions, ServiceSender } from '../../headend/sender/service-sender.ts';
import { detectFormat, type SourceFormat } from '../../headend/sources/source-format.ts';
import { storedGrantNumbers } from '../../headend/keys/grant-numbers.ts';
import { DEFAULT_STORE, KeyStore } from '../../issuer/keys/key-store.ts';
import { MIN_PERIOD } from '../../headend/keys/key-schedule.ts';
import { loadOpensslAead } from '../../transport/crypto/node-openssl-aead.ts';
import { requireGrantable } from '../../headend/keys/granted-cards.ts';
import { type GroupAddress, parseGroupAddress } from '../options/multicast-address.ts';
import { formatMoney, parseAmount } from '../../money/amount.ts';
import { formatPrice, parsePrice, type Price } from '../../money/price.ts';
import { decimalNumber, wholeNumber } from '../options/number-option.ts';
import { askPassphrase } from '../terminal/passphrase.ts';

interface SendOptions {
  source: string;
  group: GroupAddress;
  price: Price;
  service: number;
  mode: 'sealed' | 'open' | 'strict';
  every?: number;
  span?: number;
  closingTime: number;
  keyPeriod: number;
  segment?: number;
  quantum?: string;
  accept?: ModuleClass;
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
  json?: true;
}

const DAY = 86_400;

/** Adds `tollcast headend` with its commands to the program. */
export function addHeadendCommand(program: Command): void {
  const headend = program.command('headend').description('send pay streams');
  headend
    .command('send')
    .description('seal a source and send it to a group, with its keys')
    .requiredOption('--source <source>', 'a file, - for standard input, or udp://ADDRESS:PORT')
    .requiredOption(
      '--group <address:port>',
      'where to, as in 239.1.2.3:5000; the port is even, RTCP takes the next',
      parseGroupAddress,
    )
    .requiredOption('--price <price>', '"0.25 USD/MB", "2.00 USD/h", "1.50 USD/segment" or free', parsePrice)
    .option('--service <n>', 'number of the service', wholeNumber(1, 0xffff_ffff), 1)
    .addOption(
      new Option(
        '--mode <mode>',
        'what lies outside the span is sealed or left open; strict: all goes through the card',
      )
        .choices(['sealed', 'open', 'strict'])
        .default('sealed'),
    )
    .option('--every <n>', 'every nth packet is a card packet (default: 100)', wholeNumber(1, 1024))
    .option('--span <octets>', 'octets through the card, in steps of 16 (default: 64)', wholeNumber(16, 208))
    .option('--closing-time <ms>', 'most that a group lasts', wholeNumber(200, 1000), 250)
    .option('--key-period <seconds>', 'most that a content key lasts', wholeNumber(MIN_PERIOD, DAY), 300)
    .option('--segment <seconds>', 'length of a segment (default: all is one)', wholeNumber(MIN_PERIOD, 366 * DAY))
    .option('--quantum <amount>', 'what a card takes at a time (default: 1 MB or 10 s of toll)')
    .addOption(new Option('--accept <class>', 'modules of this class alone').choices(['card', 'soft']))
    .option('--grant <card-id...>', 'cards that get the service key', [])
    .option('--days <n>', 'how long they get it', wholeNumber(1, 366), 30)
    .option('--store <directory>', 'the issuer store that made these cards', DEFAULT_STORE)
    .addOption(new Option('--format <format>', 'of the source').choices(['auto', 'ts', 'data']).default('auto'))
    .option(
      '--rate <bit/s>',
      'pace of the source (default: its PCR; data: 10000000)',
      wholeNumber(RATE_RANGE[0], RATE_RANGE[1]),
    )
    .option('--speed <factor>', 'faster or slower than that', decimalNumber(0.1, 1000), 1)
    .option('--lead <seconds>', 'keys go out for so long before the first packet', decimalNumber(0, 60), 0.3)
    .option('--interface <address>', 'address of the interface to send by', '127.0.0.1')
    .option('--ttl <hops>', 'networks that a packet may cross', wholeNumber(0, 255), 1)
    .option('--key-port <port>', 'port of the key messages (default: that of the group + 2)', wholeNumber(1, 65_535))
    .option('--json', 'end standard output with one line of JSON')
    .action(send);
}

async function send(options: SendOptions): Promise<void> {
  const { price } = options;
  const profile = cardProfile(options);
  const to = serviceAddress(options);
  const quantum = parseQuantum(options.quantum, price);
  const cards = options.grant.map(parseCardId);
  requireGrantable(cards, { accept: options.accept, store: options.store, currency: price.currency });
  const unique = cards.length === 0 ? undefined : await new KeyStore(options.store, askPassphrase).open('unique');
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    say(`reading ${options.source === '-' ? 'standard input' : options.source}`);
    const opened = await openSource(options.source, options.interface, stop.signal);
    const { source, format } =
      options.format === 'auto' ? await detectFormat(opened) : { source: opened, format: options.format };
    if (stop.signal.aborted) return;
    const numbers = await storedGrantNumbers(options.store).take(cards, Math.floor(Date.now() / 1000));
    const sender = new ServiceSender({
      ...profile,
      source,
      format,
      to,
      quantum,
      currency: price.currency?.number,
      cards,
      rate: options.rate,
      service: options.service,
      closingTime: options.closingTime,
      terms: { tariff: price.tariff, classes: { card: options.accept !== 'soft', soft: options.accept !== 'card' } },
      aead: await loadOpensslAead(),
      downlinkKey: (cardId) => deriveCardKey(unique!, 'downlink', cardId),
      grantNumber: (cardId) => numbers[cards.indexOf(cardId)]!,
      granted: options.days * DAY,
      period: options.keyPeriod,
      segment: options.segment,
      speed: options.speed,
      lead: options.lead * 1000,
      onKey: ({ id, segment }) => say(`content key ${id} of segment ${segment.id}`),
    });
    say(
      `service ${options.service}: ${options.source} (${format}) to ${to.address}:${to.port} by ${to.interface}, keys to port ` +
        `${to.keyPort}, ${options.mode}, card packet 1 in ${profile.every}, span ${profile.span}, ${formatPrice(price)}, ` +
        `${cards.length} ${cards.length === 1 ? 'card' : 'cards'} granted`,
    );
    if (cards.length === 0) say('no card is granted the service key: only who bought it before can watch; see --grant');
    const started = performance.now();
    await sender.run(stop.signal);
    const seconds = Math.round(performance.now() - started) / 1000;
    const { octets, duration, groups } = sender.totals;
    if (octets === 0 && !stop.signal.aborted) {
      throw new TollcastError('EMPTY_SOURCE', `${options.source} was empty, nothing was sent; name another --source`);
    }
    say(
      `${stop.signal.aborted ? 'stopped' : 'end of the source'}: ${octets} octets, ${duration} ms in ${groups} groups`,
    );
    if (options.json === true) {
      const { address, port, keyPort } = to;
      const result = { service: options.service, address, port, keyPort, format, ...sender.totals, seconds };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function parseQuantum(text: string | undefined, { currency }: Price): bigint | undefined {
  if (text === undefined) return undefined;
  if (currency === undefined) throw new OutOfRangeError('what is free takes nothing from a card; leave out --quantum');
  const quantum = parseAmount(text, currency, MOST_MONEY);
  if (quantum === 0n) throw new OutOfRangeError(`a quantum is ${formatMoney(1n, currency)} or more, not 0`);
  return quantum;
}

/** Strict is mode open with one TS packet a payload, one packet a group and span 208; `firmware-notes/protocol.md` 5.1. */
function cardProfile({ mode, every, span }: SendOptions): Pick<ServiceOptions, 'mode' | 'every' | 'span' | 'packing'> {
  if (mode !== 'strict') return { mode, every: every ?? 100, span: span ?? 64, packing: 7 };
  if ((every ?? 1) !== 1 || (span ?? 208) !== 208) {
    throw new OutOfRangeError(
      'mode strict has every packet a card packet and a span of 208; leave out --every and --span',
    );
  }
  return { mode: 'open', every: 1, span: 208, packing: 1 };
}

function serviceAddress(options: SendOptions): ServiceAddress {
  const { address, port } = options.group;
  const keyPort = options.keyPort ?? port + 2;
  if (keyPort === port || keyPort === port + 1) {
    throw new OutOfRangeError(`--key-port ${keyPort} is taken by the media or its RTCP; leave it out or name another`);
  }
  return { address, port, keyPort, interface: options.interface, ttl: options.ttl };
}

/** Status goes to standard error: standard output is for programs. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
