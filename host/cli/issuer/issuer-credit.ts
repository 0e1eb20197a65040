import type { Command } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import type { Receipt } from '../../../apdu/decode-module/money/receipt.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { DEFAULT_REFUND_CAP, loadCredit, setCreditLimit } from '../../issuer/orders/credit.ts';
import { DEFAULT_SOFT_LIMIT, type OrderRequest } from '../../issuer/orders/order-plan.ts';
import { collectReceipts, collectSoftReceipts } from '../../issuer/orders/receipts.ts';
import { formatMoney, type Money, parseAmount, parseMoney } from '../../money/amount.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { print } from '../options/card-option.ts';
import { createCardCommand, type IssuerOptions, withStore } from '../options/issuer-option.ts';
import { now } from '../terminal/time.ts';

interface OrderOptions extends IssuerOptions {
  readonly amount: Money;
  readonly softLimit?: string;
}

interface LoadOptions extends OrderOptions {
  readonly refundCap?: string;
}

const REPEATED = 'this was the order whose answer had been lost; nothing was done twice';

/** Adds the commands of `tollcast issuer` that are about money. */
export function addCreditCommands(issuer: Command): void {
  createOrderCommand(issuer, 'load', 'load credit onto a card, and give back torn credit')
    .option('--refund-cap <amount>', 'the most torn credit that is given back to a card in a month (default: 5.00)')
    .action(load);
  createOrderCommand(issuer, 'credit-limit', 'let a card spend more than it holds, up to this amount').action(
    limitCredit,
  );
  createCardCommand(issuer, 'collect', 'fetch, check and keep the receipts of a card').action(collect);
}

function createOrderCommand(issuer: Command, name: string, description: string): Command {
  return createCardCommand(issuer, name, description)
    .requiredOption('--amount <amount>', 'required, as in "10.00 USD"', (text: string) => parseMoney(text, MAX_MONEY))
    .option(
      '--soft-limit <amount>',
      'the most that a soft module may hold unsettled, with its credit limit (default: 10.00)',
    );
}

async function load(options: LoadOptions): Promise<void> {
  const { request, currency, format } = parseOrder(options);
  const refundCap =
    options.refundCap === undefined ? DEFAULT_REFUND_CAP : parseAmount(options.refundCap, currency, MAX_MONEY);
  const result = await withStore(options, async (channel, keys, accounts) => {
    const module = new DecodeModule(channel);
    await collectSoftReceipts(module, keys, accounts);
    return loadCredit({ module, keys, accounts, now: now() }, { ...request, refundCap });
  });
  const card = formatCardId(result.cardId);
  const refund = result.refund === 0n ? '' : `, with ${format(result.refund)} of torn credit given back`;
  print(
    options,
    {
      card,
      currency: currency.code,
      amount: Number(result.amount),
      refund: Number(result.refund),
      balance: Number(result.balance),
      repeated: result.repeated,
    },
    [
      `card ${card}: loaded ${format(result.amount)}${refund}; balance ${format(result.balance)}`,
      ...(result.repeated ? [REPEATED] : []),
    ],
  );
}

async function limitCredit(options: OrderOptions): Promise<void> {
  const { request, currency, format } = parseOrder(options);
  const { cardId, creditLimit, balance, repeated } = await withStore(options, async (channel, keys, accounts) => {
    const module = new DecodeModule(channel);
    await collectSoftReceipts(module, keys, accounts);
    return setCreditLimit({ module, keys, accounts, now: now() }, request);
  });
  print(
    options,
    {
      card: formatCardId(cardId),
      currency: currency.code,
      creditLimit: Number(creditLimit),
      balance: Number(balance),
      repeated,
    },
    [
      `card ${formatCardId(cardId)}: credit limit ${format(creditLimit)}; balance ${format(balance)}`,
      ...(repeated ? [REPEATED] : []),
    ],
  );
}

function parseOrder(options: OrderOptions): {
  request: OrderRequest;
  currency: Currency;
  format: (amount: bigint) => string;
} {
  const { amount, currency } = options.amount;
  const softLimit =
    options.softLimit === undefined ? DEFAULT_SOFT_LIMIT : parseAmount(options.softLimit, currency, MAX_MONEY);
  const format = (microUnits: bigint) => formatMoney(microUnits, currency);
  return { request: { amount, currency: currency.number, softLimit }, currency, format };
}

async function collect(options: IssuerOptions): Promise<void> {
  const {
    cardId,
    currency: number,
    receipts,
  } = await withStore(options, (channel, keys, accounts) => collectReceipts(new DecodeModule(channel), keys, accounts));
  const currency = currencyByNumber(number);
  const total = receipts.reduce((sum, receipt) => sum + receipt.amount, 0n);
  const format = (amount: bigint) => formatMoney(amount, currency);
  const describeReceipt = ({ number: n, service, octets, amount, reason, torn }: Receipt) =>
    `receipt ${n}: service ${service}, ${octets} octets, ${format(amount)}` +
    (reason === 'torn' ? `, ${format(torn)} torn` : '');
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
      ...receipts.map(describeReceipt),
      `card ${formatCardId(cardId)}: ${receipts.length} new receipts, ${format(total)}`,
    ],
  );
}
