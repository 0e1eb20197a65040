import { open } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { InputError, TollcastError } from '../../../apdu/errors.ts';
import { MAX_MONEY } from '../../../apdu/layout/max-money.ts';
import type { BatchCard } from '../../issuer/batch/run-batch.ts';
import { parseRatingLimit, PIN_POLICIES } from '../../issuer/cards/holder-limits.ts';
import { requireUsableCard } from '../../issuer/cards/personalisation.ts';
import { type CreditRequest, DEFAULT_REFUND_CAP } from '../../issuer/orders/credit.ts';
import { DEFAULT_SOFT_LIMIT } from '../../issuer/orders/order-plan.ts';
import { parseAmount } from '../../money/amount.ts';
import { currencyByCode } from '../../money/currency.ts';
import { parseCardAddress } from '../../transport/card/card-address.ts';
import { wholeNumber } from '../options/number-option.ts';
import { type ProfileOptions, readProfile } from './issuer-personalise.ts';

/** What holds for a row that does not say otherwise. */
export interface BatchDefaults extends ProfileOptions {
  readonly amount?: string;
  readonly softLimit?: string;
  readonly pin?: true;
}

interface RowOptions extends BatchDefaults {
  readonly serial?: number;
}

/** Octets. */
const MAX_FILE = 16 * 1024 * 1024;
const MAX_ROWS = 100_000;

/** How a column becomes an option. An empty cell leaves the option as it is for all rows. */
const COLUMNS: Readonly<Record<string, (text: string) => Partial<RowOptions>>> = {
  serial: (text) => ({ serial: wholeNumber(0, 0xffff_ffff)(text) }),
  class: (text) => ({ class: oneOf(['card', 'soft'], text) }),
  currency: (text) => ({ currency: text }),
  'max-balance': (text) => ({ maxBalance: text }),
  'max-unacknowledged': (text) => ({ maxUnacknowledged: text }),
  trust: (text) => ({ trust: text.split(/\s+/) }),
  'spend-limit': (text) => ({ spendLimit: text }),
  rating: (text) => ({ rating: parseRatingLimit(text) }),
  'pin-policy': (text) => ({ pinPolicy: oneOf(PIN_POLICIES, text) }),
  pin: (text) => (oneOf(['yes', 'no'], text) === 'yes' ? { pin: true } : {}),
  amount: (text) => ({ amount: text }),
  'soft-limit': (text) => ({ softLimit: text }),
};

/**
 * Reads a batch, and checks every row before the first card is touched.
 * @throws InputError that names the row.
 */
export async function readBatch(path: string, defaults: BatchDefaults): Promise<BatchCard[]> {
  let rows: Record<string, string>[];
  try {
    rows = parse(await readBounded(path), { columns: true, trim: true, skip_empty_lines: true, bom: true });
  } catch (cause) {
    // What the system says names the file.
    if (cause instanceof TollcastError || !(cause instanceof Error) || 'syscall' in cause) throw cause;
    throw new InputError(`${path} is not CSV with a row of names first (${cause.message}); mend it`, { cause });
  }
  if (rows.length === 0 || rows.length > MAX_ROWS) {
    throw new InputError(`${path} has ${rows.length} cards; a batch has from 1 to ${MAX_ROWS}`);
  }
  const unknown = Object.keys(rows[0]!).find((name) => name !== 'card' && !Object.hasOwn(COLUMNS, name));
  if (unknown !== undefined || rows[0]!['card'] === undefined) {
    const what = unknown === undefined ? 'has no column "card"' : `has a column "${unknown.slice(0, 40)}"`;
    throw new InputError(`${path} ${what}; the columns are card and ${Object.keys(COLUMNS).join(', ')}`);
  }
  const cards: BatchCard[] = [];
  for (const [i, row] of rows.entries()) cards.push(await readRow(path, i + 1, row, defaults));
  return cards;
}

async function readRow(
  path: string,
  row: number,
  { card = '', ...cells }: Readonly<Record<string, string>>,
  defaults: BatchDefaults,
): Promise<BatchCard> {
  try {
    const options: RowOptions = { ...defaults };
    for (const [name, text] of Object.entries(cells)) if (text !== '') Object.assign(options, COLUMNS[name]!(text));
    // The option of all rows is not asked when the row says no.
    const withPin = cells['pin'] === 'no' ? false : options.pin === true;
    const wanted = { ...(await readProfile(options, parseCardAddress(card))), serial: options.serial };
    requireUsableCard({ ...wanted, pin: withPin ? new Uint8Array(8) : undefined });
    return { row, address: card, wanted, withPin, load: readLoad(options) };
  } catch (cause) {
    if (!(cause instanceof TollcastError)) throw cause;
    throw new InputError(`${path}, card ${row}: ${cause.message}`, { cause });
  }
}

function readLoad({ amount, currency: code, softLimit }: RowOptions): CreditRequest | undefined {
  if (amount === undefined) return undefined;
  const currency = currencyByCode(code);
  return {
    amount: parseAmount(amount, currency, MAX_MONEY),
    currency: currency.number,
    refundCap: DEFAULT_REFUND_CAP,
    softLimit: softLimit === undefined ? DEFAULT_SOFT_LIMIT : parseAmount(softLimit, currency, MAX_MONEY),
  };
}

function oneOf<T extends string>(words: readonly T[], text: string): T {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new InputError(`"${text.slice(0, 40)}" is not one of ${words.join(', ')}`);
}

async function readBounded(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > MAX_FILE) throw new InputError(`${path} is too large for a batch; divide it`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
