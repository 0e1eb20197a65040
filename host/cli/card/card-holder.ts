import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { deletePurchase, findPurchase, leavePurchase } from '../../holder/leave.ts';
import { selectActive } from '../../holder/life.ts';
import { changePin } from '../../holder/pin.ts';
import { setSpendLimit } from '../../holder/spend-limit.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { formatSpendLimit, parseSpendLimit } from '../../money/spend-limit.ts';
import { addCardOptions, type CardOptions, print, withCard } from '../options/card-option.ts';
import { wholeNumber } from '../options/number-option.ts';
import { confirm } from '../terminal/ask.ts';
import { askPin, choosePin, NEW_PIN } from '../terminal/pin-entry.ts';
import { PIN_PAD_OPTION, tellPinEntry } from '../terminal/pin-pad.ts';
import { formatTime, now, parseTime } from '../terminal/time.ts';
import { spendLimitToJson } from './card-view.ts';

interface PinOptions extends CardOptions {
  readonly pinFile?: string;
}

interface LeaveOptions extends CardOptions {
  readonly at?: number;
  readonly kind?: string;
  readonly delete?: true;
  readonly out?: string;
  readonly yes?: true;
}

/** Kinds of key that a purchase brings. */
const PURCHASE_KINDS = ['service', 'segment', 'seeds', 'servicePair'] as const;
const MAX_U32 = 0xffff_ffff;

/** Adds the commands of `tollcast card` that are for its holder. */
export function addHolderCommands(card: Command): void {
  addCardOptions(card.command('pin').description('change the PIN of a card'))
    .option('--pin-file <file>', 'the present PIN is in this file (default: in TOLLCAST_PIN, or typed)')
    .option('--new-pin-file <file>', 'the new PIN is in this file (default: in TOLLCAST_NEW_PIN, or typed)')
    .action(replacePin);
  addCardOptions(card.command('spend-limit').description('set the most that is taken on one day of the stream'))
    .argument('<amount>', 'as in 5.00, in the currency of the card, or none')
    .option('--pin-file <file>', 'the PIN is in this file (default: in TOLLCAST_PIN, or typed)')
    .option(...PIN_PAD_OPTION)
    .action(limitSpending);
  addCardOptions(card.command('leave').description('end a purchase before its time, for good; ends an open session'))
    .argument('<service>', 'number of the service', wholeNumber(1, MAX_U32))
    .argument('<key>', 'key id of the purchase, as shown by: tollcast card info', wholeNumber(0, MAX_U32))
    .option('--at <time>', 'when it ends, as in 2026-12-31T20:00:00Z (default: now)', parseTime)
    .addOption(
      new Option('--kind <kind>', 'kind of its key, where the card has several of one id').choices(PURCHASE_KINDS),
    )
    .option('--delete', 'take it off the card too, which makes room for another')
    .option('--out <file>', 'write the leave record, for the operator, to this file')
    .option('--yes', 'do not ask')
    .action(leave);
}

async function replacePin(options: PinOptions & { readonly newPinFile?: string }): Promise<void> {
  const old = await askPin(options.pinFile);
  const next = await choosePin(options.newPinFile, NEW_PIN);
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const { cardId } = await selectActive(module);
    await changePin(module, old, next);
    print(options, { card: formatCardId(cardId) }, [`card ${formatCardId(cardId)} has a new PIN`]);
  });
}

async function limitSpending(amount: string, options: PinOptions & { readonly pinPad?: true }): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(tellPinEntry(channel, (line) => process.stderr.write(`tollcast: ${line}\n`)));
    const { cardId, currency: number } = await selectActive(module);
    const currency = currencyByNumber(number);
    const limit = parseSpendLimit(amount, currency);
    await setSpendLimit(module, limit, options.pinPad === true ? 'pin pad' : await askPin(options.pinFile));
    print(options, { card: formatCardId(cardId), currency: currency.code, spendLimit: spendLimitToJson(limit) }, [
      `card ${formatCardId(cardId)}: spend limit a day ${formatSpendLimit(limit, currency)}`,
    ]);
  });
}

async function leave(service: number, keyId: number, options: LeaveOptions): Promise<void> {
  const isDeleted = options.delete === true;
  if (isDeleted && options.at !== undefined) {
    throw new OutOfRangeError('what is taken off the card ends at once; leave out --at, or --delete');
  }
  const at = options.at ?? now();
  if (options.yes !== true) {
    const what = `purchase ${keyId} of service ${service} ends at ${formatTime(at)}, which cannot be taken back`;
    if (!(await confirm(`${what}; leave?`))) {
      throw new TollcastError('NOT_CONFIRMED', 'leaving cannot be taken back; nothing was done: add --yes to leave');
    }
  }
  const kind = PURCHASE_KINDS.find((name) => name === options.kind);
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const { cardId } = await selectActive(module);
    const purchase = await findPurchase(module, { service, keyId, kind: kind && KIND[kind] });
    // What has ended needs no leave before it is taken off.
    const left = isDeleted && purchase.to <= at ? undefined : await leavePurchase(module, purchase, at);
    const { record, to } = { to: purchase.to, record: undefined, ...left };
    // The file comes first: if it fails, the record can be asked for again while the purchase is on the card.
    if (record !== undefined && options.out !== undefined) {
      await writeFile(options.out, `${toHex(record)}\n`, { mode: 0o600 });
    }
    if (isDeleted) await deletePurchase(module, purchase);
    const name = formatCardId(cardId);
    const json = {
      card: name,
      service,
      key: keyId,
      to: formatTime(to),
      ...(record !== undefined && { record: toHex(record) }),
      ...(isDeleted && { deleted: true }),
    };
    print(options, json, [
      `card ${name}: purchase ${keyId} of service ${service} ends at ${formatTime(to)}${isDeleted ? ', and is taken off' : ''}`,
      ...(record === undefined ? [] : [`leave record, for the operator: ${options.out ?? toHex(record)}`]),
    ]);
  });
}
