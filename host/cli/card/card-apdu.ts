import { describeModuleStatus } from '../../../apdu/decode-module/module-status.ts';
import { MODULE_AID } from '../../../apdu/decode-module/select-answer.ts';
import { tryParseTlv, type Tlv } from '../../../apdu/iso7816/ber-tlv.ts';
import { parseResponse } from '../../../apdu/iso7816/response-apdu.ts';
import { describeStatus, formatStatus, SW_OK, type StatusMeaning } from '../../../apdu/iso7816/status-word.ts';
import { toHex } from '../../../apdu/octets.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { formatHex } from './card-trace.ts';

const INS_SELECT = 0xa4;
/** Octets on a line of a dump. */
const PER_LINE = 16;

/** `tollcast card apdu`: sends each command once, as it is. Nothing is fetched, repeated or added. */
export async function runCommands(commands: readonly Uint8Array[], options: CardOptions): Promise<void> {
  await withCard(options, async (channel) => {
    let isOurModule = false;
    for (const command of commands) {
      const { data, status } = parseResponse(await channel.transmit(command));
      if (isSelect(command)) isOurModule = status === SW_OK && toHex(command).includes(toHex(MODULE_AID));
      const meaning = isOurModule ? describeModuleStatus(status) : describeStatus(status);
      const json = { command: toHex(command), data: toHex(data), status: formatStatus(status), text: meaning.text };
      print(options, json, describeExchange(command, data, status, meaning));
    }
  });
}

function isSelect(command: Uint8Array): boolean {
  return command[1] === INS_SELECT;
}

function describeExchange(command: Uint8Array, data: Uint8Array, status: number, meaning: StatusMeaning): string[] {
  const advice = status === SW_OK ? '' : `; ${meaning.advice}`;
  return [
    `> ${formatHex(toHex(command))}`,
    ...dumpHex(data).map((line) => `  ${line}`),
    ...describeTlv(tryParseTlv(data) ?? [], '  '),
    `< ${formatStatus(status)} ${meaning.text}${advice}`,
  ];
}

function describeTlv(objects: readonly Tlv[], indent: string): string[] {
  return objects.flatMap(({ tag, value, children }) => {
    const name = tag.toString(16).toUpperCase().padStart(2, '0');
    if (children === undefined) return [`${indent}${name} (${value.length}) ${formatHex(toHex(value))}`.trimEnd()];
    return [`${indent}${name} (${value.length})`, ...describeTlv(children, `${indent}  `)];
  });
}

/** Writes lines of 16 octets: offset, octets, and those of them that are printable ASCII. */
function dumpHex(octets: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < octets.length; at += PER_LINE) {
    const part = octets.subarray(at, at + PER_LINE);
    const text = Array.from(part, (octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCodePoint(octet) : '.')).join(
      '',
    );
    lines.push(`${at.toString(16).padStart(4, '0')}  ${formatHex(toHex(part)).padEnd(3 * PER_LINE - 1)}  ${text}`);
  }
  return lines;
}
