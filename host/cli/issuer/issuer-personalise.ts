import { type Command, Option } from 'commander';
import { formatCardId, type ModuleClass } from '../../../apdu/decode-module/card-id.ts';
import { NO_LIMITS } from '../../../apdu/decode-module/card-limits.ts';
import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import { describeLimits } from '../../issuer/cards/holder-limits.ts';
import { type NewCard, personalise, requireUsableCard } from '../../issuer/cards/personalisation.ts';
import { readVerificationKey } from '../../issuer/keys/verification-key-file.ts';
import { formatMoney, parseAmount } from '../../money/amount.ts';
import { currencyByCode, currencyByNumber } from '../../money/currency.ts';
import type { CardAddress } from '../../transport/card/card-address.ts';
import { limitsToJson } from '../card/card-view.ts';
import { print } from '../options/card-option.ts';
import { type ChannelOptions, createCardCommand, readInstalledKeys, withStore } from '../options/issuer-option.ts';
import { wholeNumber } from '../options/number-option.ts';
import { choosePin } from '../terminal/pin-entry.ts';
import { now } from '../terminal/time.ts';
import { addLimitOptions, type LimitOptions, parseLimits } from './issuer-limits.ts';

/** What a new card is to be, as it stands on a command line or in a row of a batch. */
export interface ProfileOptions extends LimitOptions {
  readonly class?: ModuleClass;
  readonly currency: string;
  readonly maxBalance: string;
  readonly maxUnacknowledged?: string;
  readonly trust: readonly string[];
}

interface PersonaliseOptions extends ChannelOptions, ProfileOptions {
  readonly serial?: number;
  readonly pin?: true;
  readonly pinFile?: string;
}

/** Adds the options that say what a new card is to be. */
export function addProfileOptions(command: Command): Command {
  command
    .addOption(
      new Option('--class <class>', 'class of the module (default: soft for a soft card, else card)').choices([
        'card',
        'soft',
      ]),
    )
    .option('--currency <code>', 'currency of its purse, ISO 4217', 'USD')
    .option('--max-balance <amount>', 'the most it may hold', '500.00')
    .option(
      '--max-unacknowledged <amount>',
      'the most that receipts may come to before they are collected (default: the maximum balance)',
    )
    .addOption(
      new Option(
        '--trust <id=key...>',
        'Ed25519 keys whose signatures its hosts are to trust, in hexadecimal or a file; at most 4',
      ).default([], 'none'),
    )
    .option(
      '--keys <file>',
      'key set that the card was installed with, in JSON (default: the test keys of simulated cards)',
    );
  return addLimitOptions(command);
}

/** Reads what a new card is to be; the serial and the PIN are not part of it. */
export async function readProfile(
  options: ProfileOptions,
  { kind }: CardAddress,
): Promise<Omit<NewCard, 'serial' | 'pin'> & { readonly trust: readonly VerificationKey[] }> {
  const currency = currencyByCode(options.currency);
  const maximumBalance = parseAmount(options.maxBalance, currency, MAX_MONEY);
  const maximumUnacknowledged =
    options.maxUnacknowledged === undefined
      ? maximumBalance
      : parseAmount(options.maxUnacknowledged, currency, MAX_MONEY);
  const asked = parseLimits(options, currency);
  return {
    moduleClass: options.class ?? (kind === 'soft' ? 'soft' : 'card'),
    currency: currency.number,
    maximumBalance,
    maximumUnacknowledged,
    limits: Object.keys(asked).length === 0 ? undefined : { ...NO_LIMITS, ...asked },
    trust: await Promise.all(options.trust.map(readVerificationKey)),
  };
}

/** Adds `tollcast issuer personalise`. */
export function addPersonaliseCommand(issuer: Command): void {
  const command = createCardCommand(issuer, 'personalise', 'make a blank card one of yours')
    .option(
      '--serial <n>',
      'serial number, never one of a card that was (default: a free one)',
      wholeNumber(0, 0xffff_ffff),
    )
    .option('--pin', 'give it a PIN, which is typed or in TOLLCAST_PIN')
    .option('--pin-file <file>', 'give it the PIN in this file');
  addProfileOptions(command).action(personaliseCard);
}

async function personaliseCard(options: PersonaliseOptions): Promise<void> {
  const withPin = options.pin === true || options.pinFile !== undefined;
  const wanted = {
    ...(await readProfile(options, options.card)),
    serial: options.serial,
    pin: withPin ? await choosePin(options.pinFile) : undefined,
  };
  const { moduleClass, maximumBalance, limits } = wanted;
  const currency = currencyByNumber(wanted.currency);
  requireUsableCard(wanted);
  const installed = await readInstalledKeys(options);
  const cardId = await withStore({ ...options, create: true }, (channel, keys, accounts) =>
    personalise({ channel, keys, accounts, installed, now: now() }, wanted),
  );
  print(
    options,
    {
      card: formatCardId(cardId),
      class: moduleClass,
      currency: currency.code,
      maximumBalance: Number(maximumBalance),
      ...(limits && limitsToJson(limits)),
      ...(wanted.trust.length > 0 && { trust: wanted.trust.map(({ id }) => id) }),
    },
    [
      `card ${formatCardId(cardId)} is personalised; it may hold ${formatMoney(maximumBalance, currency)}`,
      ...(limits === undefined ? [] : [describeLimits(limits, currency)]),
    ],
  );
}
