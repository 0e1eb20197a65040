import { randomInt } from 'node:crypto';
import { type Command, Option } from 'commander';
import { formatCardId, type ModuleClass } from '../../apdu/decode-module/card-id.ts';
import { MOST_MONEY } from '../../apdu/decode-module/ceilings.ts';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import type { Receipt } from '../../apdu/decode-module/receipt.ts';
import { FormatError, OutOfRangeError } from '../../apdu/errors.ts';
import { Accounts } from '../issuer/accounts.ts';
import { DEFAULT_REFUND_CAP, loadCredit } from '../issuer/credit.ts';
import { createStore, DEFAULT_STORE, KeyStore } from '../issuer/key-store.ts';
import { personalise } from '../issuer/personalisation.ts';
import { collectReceipts } from '../issuer/receipts.ts';
import { addCardOptions, type CardOptions, print, withCard } from './card-option.ts';
import { describeAccount, describePurse } from './card-view.ts';
import { currencyByCode, currencyByNumber } from './currency.ts';
import { formatMoney, parseAmount, parseMoney } from './money.ts';
import { askPassphrase, choosePassphrase } from './passphrase.ts';

interface StoreOptions {
  readonly store: string;
}

type IssuerOptions = CardOptions & StoreOptions;

interface PersonaliseOptions extends IssuerOptions {
  readonly serial?: string;
  readonly class?: ModuleClass;
  readonly currency: string;
  readonly maxBalance: string;
  readonly maxUnacknowledged?: string;
}

interface LoadOptions extends IssuerOptions {
  readonly amount: string;
  readonly refundCap?: string;
}

/** Adds `tollcast issuer` with its commands to the program. */
export function addIssuerCommand(program: Command): void {
  const issuer = program.command('issuer').description('make cards, load them, collect their receipts');

  command(issuer, 'init', 'make an issuer store: four masters and empty accounts')
    .option('--id <hex>', 'issuer number, the first 3 octets of every card id (default: random)')
    .option('--json', 'print one line of JSON')
    .action(init);

  cardCommand(issuer, 'personalise', 'make a blank card one of yours')
    .option('--serial <n>', 'serial number (default: the next free one)')
    .addOption(
      new Option('--class <class>', 'card or soft (default: soft for a soft module, else card)').choices([
        'card',
        'soft',
      ]),
    )
    .option('--currency <code>', 'currency of its purse, ISO 4217', 'USD')
    .option('--max-balance <amount>', 'the most it may hold', '500.00')
    .option(
      '--max-unacknowledged <amount>',
      'receipts not collected may come to this much (default: the maximum balance)',
    )
    .action(personaliseCard);

  cardCommand(issuer, 'load', 'load credit onto a card, and give back torn credit')
    .requiredOption('--amount <amount>', 'such as "10.00 USD"')
    .option('--refund-cap <amount>', 'most torn credit given back to a card in a month (default: 5.00)')
    .action(load);

  cardCommand(issuer, 'show', 'show a card and its purse; ends its open session').action(show);

  cardCommand(issuer, 'collect', 'fetch, check and keep the receipts of a card').action(collect);
}

function command(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).option('--store <directory>', 'the issuer store', DEFAULT_STORE);
}

function cardCommand(parent: Command, name: string, description: string): Command {
  return addCardOptions(command(parent, name, description));
}

async function init(options: StoreOptions & { readonly id?: string; readonly json?: true }): Promise<void> {
  if (options.id !== undefined && !/^[0-9a-f]{6}$/i.test(options.id)) {
    throw new FormatError(
      `"${options.id.slice(0, 40)}" is no issuer number; write six hexadecimal digits, as in 0a1b2c`,
    );
  }
  const issuer = options.id === undefined ? randomInt(1, 2 ** 24) : Number.parseInt(options.id, 16);
  await createStore(options.store, issuer, await choosePassphrase());
  const id = issuer.toString(16).padStart(6, '0');
  print(options, { store: options.store, issuer: id }, [
    `issuer ${id}: store made in ${options.store}; keep a copy of it, and its passphrase somewhere else`,
  ]);
}

async function personaliseCard(options: PersonaliseOptions): Promise<void> {
  const currency = currencyByCode(options.currency);
  const maximumBalance = parseAmount(options.maxBalance, currency, MOST_MONEY);
  const mostUnacknowledged =
    options.maxUnacknowledged === undefined
      ? maximumBalance
      : parseAmount(options.maxUnacknowledged, currency, MOST_MONEY);
  if (maximumBalance === 0n || mostUnacknowledged === 0n) {
    throw new OutOfRangeError(`a card that may hold nothing is of no use; name at least ${formatMoney(1n, currency)}`);
  }
  const moduleClass = options.class ?? (options.card.kind === 'soft' ? 'soft' : 'card');
  const wanted = {
    moduleClass,
    serial: parseSerial(options.serial),
    currency: currency.number,
    maximumBalance,
    mostUnacknowledged,
  };
  const cardId = await withStore(options, (module, keys, accounts) =>
    personalise(module, keys, accounts, wanted, now()),
  );
  print(
    options,
    { card: formatCardId(cardId), class: moduleClass, currency: currency.code, maximumBalance: Number(maximumBalance) },
    [`card ${formatCardId(cardId)} is personalised; it may hold ${formatMoney(maximumBalance, currency)}`],
  );
}

async function load(options: LoadOptions): Promise<void> {
  const { amount, currency } = parseMoney(options.amount, MOST_MONEY);
  const wish = {
    amount,
    currency: currency.number,
    refundCap:
      options.refundCap === undefined ? DEFAULT_REFUND_CAP : parseAmount(options.refundCap, currency, MOST_MONEY),
    format: (microUnits: bigint) => formatMoney(microUnits, currency),
  };
  const result = await withStore(options, (module, keys, accounts) => loadCredit(module, keys, accounts, wish, now()));
  const refund = result.refund === 0n ? '' : `, with ${wish.format(result.refund)} of torn credit given back`;
  print(
    options,
    {
      card: formatCardId(result.cardId),
      currency: currency.code,
      amount: Number(result.amount),
      refund: Number(result.refund),
      balance: Number(result.balance),
      repeated: result.repeated,
    },
    [
      `card ${formatCardId(result.cardId)}: loaded ${wish.format(result.amount)}${refund}; balance ${wish.format(result.balance)}`,
      ...(result.repeated ? ['this was the load whose answer had been lost; nothing was loaded twice'] : []),
    ],
  );
}

async function show(options: IssuerOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const { cardId, life } = await module.select();
    const purse = life === 'active' || life === 'blocked' ? describePurse(await module.purse()) : undefined;
    const kept = describeAccount(options.store, cardId);
    print(
      options,
      { card: formatCardId(cardId), life, ...purse?.json, ...kept?.json },
      life === 'blank'
        ? ['a blank card; type: tollcast issuer personalise']
        : [`card      ${formatCardId(cardId)}, ${life}`, ...(purse?.lines ?? []), ...(kept?.lines ?? [])],
    );
  });
}

async function collect(options: IssuerOptions): Promise<void> {
  const { cardId, currency: number, receipts } = await withStore(options, collectReceipts);
  const currency = currencyByNumber(number);
  const total = receipts.reduce((sum, receipt) => sum + receipt.amount, 0n);
  const line = (receipt: Receipt) =>
    `receipt ${receipt.number}: service ${receipt.service}, ${receipt.octets} octets, ${formatMoney(receipt.amount, currency)}` +
    (receipt.reason === 'torn' ? `, ${formatMoney(receipt.torn, currency)} torn` : '');
  print(
    options,
    {
      card: formatCardId(cardId),
      currency: currency.code,
      amount: Number(total),
      receipts: receipts.map((receipt) => ({
        number: receipt.number,
        service: receipt.service,
        octets: receipt.octets,
        duration: receipt.duration,
        amount: Number(receipt.amount),
        torn: Number(receipt.torn),
        from: receipt.from,
        to: receipt.to,
        reason: receipt.reason,
      })),
    },
    [
      ...receipts.map(line),
      `card ${formatCardId(cardId)}: ${receipts.length} new receipts, ${formatMoney(total, currency)}`,
    ],
  );
}

/** Opens the accounts, then the card, and closes both whatever happens. Masters are opened by whoever needs them. */
async function withStore<T>(
  options: IssuerOptions,
  work: (module: DecodeModule, keys: KeyStore, accounts: Accounts) => Promise<T>,
): Promise<T> {
  const accounts = Accounts.open(options.store);
  try {
    const keys = new KeyStore(options.store, askPassphrase);
    return await withCard(options, (channel) => work(new DecodeModule(channel), keys, accounts));
  } finally {
    accounts.close();
  }
}

function parseSerial(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const serial = Number(text);
  if (!/^\d{1,10}$/.test(text) || serial > 0xffff_ffff) {
    throw new OutOfRangeError(`"${text.slice(0, 40)}" is no serial number; it must lie within 0 and 4294967295`);
  }
  return serial;
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
