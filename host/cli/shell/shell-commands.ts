import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { parseReceipt } from '../../../apdu/decode-module/money/receipt.ts';
import { InputError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import { presentPin } from '../../holder/pin.ts';
import { describeKey, readCardView } from '../card/card-info.ts';
import { readLogView } from '../card/card-log.ts';
import { describePurse } from '../card/card-view.ts';
import { wholeNumber } from '../options/number-option.ts';
import { askPin } from '../terminal/pin-entry.ts';

const MAX_U32 = 0xffff_ffff;

/** A command of the shell that asks the card something. */
export interface ShellCommand {
  readonly name: string;
  /** What stands behind the name, as in `SERVICE`. */
  readonly operands: string;
  readonly help: string;
  /** @returns lines to print. */
  run(channel: CardChannel, operands: readonly string[]): Promise<readonly string[]>;
}

/** The card's language in words; what has no word goes as hexadecimal. */
export const SHELL_COMMANDS: readonly ShellCommand[] = [
  {
    name: 'select',
    operands: '',
    help: 'select the decode module; ends session, PIN and secure channel',
    run: async (channel) => describeFields(await new DecodeModule(channel).select()),
  },
  {
    name: 'info',
    operands: '',
    help: 'all that the card tells anybody; selects the module first',
    run: async (channel) => (await readCardView(channel)).lines,
  },
  {
    name: 'purse',
    operands: '',
    help: 'balance, what was loaded and spent, receipts',
    run: async (channel) => describePurse(await new DecodeModule(channel).getPurse()).lines,
  },
  {
    name: 'log',
    operands: '[N]',
    help: 'the newest N records of the purse, 10 if left out; selects the module first',
    run: async (channel, [count = '10']) => (await readLogView(channel, wholeNumber(1, 64)(count))).lines,
  },
  {
    name: 'keys',
    operands: '',
    help: 'the keys on the card: their names and validity',
    run: async (channel) => (await new DecodeModule(channel).listKeys()).map(describeKey),
  },
  {
    name: 'limits',
    operands: '',
    help: 'rating limit, PIN policy, tries left of the PIN',
    run: async (channel) => describeFields(await new DecodeModule(channel).getLimits()),
  },
  {
    name: 'module',
    operands: '',
    help: 'what the module can do, its version and free memory',
    run: async (channel) => describeFields(await new DecodeModule(channel).getModuleData()),
  },
  {
    name: 'receipt',
    operands: '[N]',
    help: 'receipt N; without it the oldest one that the issuer does not have',
    async run(channel, [number]) {
      const wanted = number === undefined ? undefined : wholeNumber(0, MAX_U32)(number);
      return describeFields(parseReceipt(await new DecodeModule(channel).getReceipt(wanted)));
    },
  },
  {
    name: 'verify',
    operands: '',
    help: 'present the PIN, which is asked for and not shown',
    async run(channel) {
      await presentPin(new DecodeModule(channel), await askPin(undefined));
      return ['the PIN is verified, until the module is selected again'];
    },
  },
  {
    name: 'open',
    operands: 'SERVICE',
    help: 'open a paid session; costs nothing before the first group',
    async run(channel, [service = '']) {
      await new DecodeModule(channel).openSession(wholeNumber(1, MAX_U32)(service));
      return [`a session of service ${service} is open`];
    },
  },
  {
    name: 'close',
    operands: '',
    help: 'close the session; shows the newest receipt',
    async run(channel) {
      const receipt = await new DecodeModule(channel).closeSession();
      return receipt === undefined ? ['no session is open, and there never was a receipt'] : describeFields(receipt);
    },
  },
];

/** The names of an object's fields with their values: amounts in micro-units, octets in hexadecimal. */
function describeFields(value: object): string[] {
  const fields = Object.entries(value).map(([name, field]: [string, unknown]) => [name, formatField(name, field)]);
  const width = Math.max(...fields.map(([name = '']) => name.length));
  return fields.map(([name = '', text]) => `${name.padEnd(width)}  ${text}`);
}

function formatField(name: string, field: unknown): string {
  if (field instanceof Uint8Array) return name === 'cardId' ? formatCardId(field) : toHex(field);
  if (field === undefined) return 'none';
  return typeof field === 'string' || typeof field === 'bigint' ? `${field}` : JSON.stringify(field);
}

/** @throws InputError when more is typed than the command takes. */
export function requireOperands({ name, operands }: ShellCommand, typed: readonly string[]): void {
  const most = operands === '' ? 0 : 1;
  const fewest = operands === '' || operands.startsWith('[') ? 0 : 1;
  if (typed.length >= fewest && typed.length <= most) return;
  throw new InputError(`write it as: ${[name, operands].join(' ').trim()}`);
}
