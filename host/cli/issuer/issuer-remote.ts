import { type Command, Option } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { InputError } from '../../../apdu/errors.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { Accounts } from '../../issuer/cards/accounts.ts';
import { IssuerError } from '../../issuer/issuer-error.ts';
import { KeyStore } from '../../issuer/keys/key-store.ts';
import { DEFAULT_REFUND_CAP, planCreditLimit, planLoad } from '../../issuer/orders/credit.ts';
import { DEFAULT_SOFT_LIMIT } from '../../issuer/orders/order-plan.ts';
import { answerLoadRequest, type RemoteContext, takeProof } from '../../issuer/orders/remote-order.ts';
import { acknowledgeReceipts, takeReceipts } from '../../issuer/orders/remote-receipts.ts';
import { formatMoney, type Money, parseAmount, parseMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { readCardFile, writeCardFile } from '../options/card-file.ts';
import { print } from '../options/card-option.ts';
import { createStoreCommand, type StoreOptions } from '../options/issuer-option.ts';
import { addPassphraseOptions, askPassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';
import { now } from '../terminal/time.ts';

interface RemoteOptions extends StoreOptions, PassphraseOptions {
  readonly json?: true;
}

interface AnswerOptions extends RemoteOptions {
  readonly amount?: Money;
  readonly creditLimit?: Money;
  readonly softLimit?: string;
  readonly refundCap?: string;
}

/** Adds the commands of `tollcast issuer` for cards that are elsewhere. */
export function addRemoteCommands(issuer: Command): void {
  createRemoteCommand(issuer, 'answer-load', 'answer the load request of a card that is elsewhere')
    .argument('<request>', 'file that the holder sent')
    .argument('<order>', 'file that is written, for the holder')
    .addOption(new Option('--amount <amount>', 'what is loaded, as in "10.00 USD"').argParser(parseOrderMoney))
    .addOption(new Option('--credit-limit <amount>', 'set the credit limit instead').argParser(parseOrderMoney))
    .option('--soft-limit <amount>', 'the most that a soft module may hold unsettled (default: 10.00)')
    .option('--refund-cap <amount>', 'the most torn credit that is given back to a card in a month (default: 5.00)')
    .action(answerLoad);
  createRemoteCommand(issuer, 'take-proof', 'record that a card which is elsewhere has carried out an order')
    .argument('<proof>', 'file that the holder sent')
    .action(recordProof);
  createRemoteCommand(issuer, 'take-receipts', 'check and keep the receipts of a card that is elsewhere')
    .argument('<receipts>', 'file that the holder sent')
    .argument('<acknowledgement>', 'file that is written, for the holder')
    .action(collect);
}

function parseOrderMoney(text: string): Money {
  return parseMoney(text, MAX_MONEY);
}

function createRemoteCommand(issuer: Command, name: string, description: string): Command {
  return addPassphraseOptions(createStoreCommand(issuer, name, description)).option(
    '--json',
    'print one line of JSON; amounts in micro-units, 1000000 to the unit',
  );
}

async function withAccounts<T>(options: RemoteOptions, work: (context: RemoteContext) => Promise<T>): Promise<T> {
  await using accounts = await Accounts.open(options.store);
  return await work({ keys: new KeyStore(options.store, () => askPassphrase(options)), accounts, now: now() });
}

async function answerLoad(requestPath: string, orderPath: string, options: AnswerOptions): Promise<void> {
  const { amount, creditLimit } = options;
  const money = amount ?? creditLimit;
  if (money === undefined || (amount !== undefined && creditLimit !== undefined)) {
    throw new InputError('name what the card gets: either --amount or --credit-limit');
  }
  const file = await readCardFile(requestPath, 'load request');
  const { currency } = money;
  const optional = (text: string | undefined, otherwise: bigint): bigint =>
    text === undefined ? otherwise : parseAmount(text, currency, MAX_MONEY);
  const request = {
    amount: money.amount,
    currency: currency.number,
    softLimit: optional(options.softLimit, DEFAULT_SOFT_LIMIT),
    refundCap: optional(options.refundCap, DEFAULT_REFUND_CAP),
  };
  const order = await withAccounts(options, async (context) => {
    const plan = amount === undefined ? planCreditLimit(request) : planLoad(request, context.now);
    return answerLoadRequest(context, file, plan);
  });
  await writeCardFile(orderPath, order.file);
  const { kind, asked, refund, repeated } = order;
  const card = formatCardId(order.card.cardId);
  const what = `${kind} of ${formatMoney(asked, currency)}`;
  const wanted = amount === undefined ? 'credit limit' : 'load';
  if (repeated && (asked !== money.amount || kind !== wanted)) {
    throw new IssuerError(
      'EARLIER_LOAD',
      `an earlier ${what} is still open, and ${orderPath} holds that one; take its proof first, and then a new request`,
    );
  }
  const also = refund === 0n ? '' : `, with ${formatMoney(refund, currency)} of torn credit given back`;
  print(options, { card, order: orderPath, kind, amount: Number(asked), refund: Number(refund), repeated }, [
    `card ${card}: ${what}${also} ordered in ${orderPath}; its holder types: tollcast card take-load`,
    ...(repeated ? ['this is the order that was signed before; nothing is ordered twice'] : []),
  ]);
}

async function recordProof(path: string, options: RemoteOptions): Promise<void> {
  const file = await readCardFile(path, 'load proof');
  const proof = await withAccounts(options, (context) => takeProof(context, file));
  const { kind, number, asked, refund, repeated } = proof;
  const card = formatCardId(proof.card.cardId);
  const amount = formatMoney(asked + refund, currencyByNumber(proof.card.currency));
  print(options, { card, number, kind, amount: Number(asked), refund: Number(refund), repeated }, [
    `card ${card} has carried out order ${number}, a ${kind} of ${amount}${repeated ? ', as was known before' : ''}`,
  ]);
}

async function collect(receiptsPath: string, acknowledgementPath: string, options: RemoteOptions): Promise<void> {
  const file = await readCardFile(receiptsPath, 'receipts');
  const { card, receipts, answer } = await withAccounts(options, async (context) => {
    const taken = await takeReceipts(context, file);
    return { ...taken, answer: await acknowledgeReceipts(context, taken.card) };
  });
  await writeCardFile(acknowledgementPath, answer);
  const currency = currencyByNumber(card.currency);
  const total = receipts.reduce((sum, { amount }) => sum + amount, 0n);
  const id = formatCardId(card.cardId);
  print(
    options,
    {
      card: id,
      currency: currency.code,
      amount: Number(total),
      receipts: receipts.map(({ number }) => number),
      acknowledgement: acknowledgementPath,
    },
    [
      `card ${id}: ${receipts.length} new receipts, ${formatMoney(total, currency)}; ` +
        `its holder takes ${acknowledgementPath}: tollcast card take-acknowledgement`,
    ],
  );
}
