import { describeModuleStatus } from '../../../apdu/decode-module/module-status.ts';
import { MODULE_AID } from '../../../apdu/decode-module/select-answer.ts';
import { tryParseTlv, type Tlv } from '../../../apdu/iso7816/ber-tlv.ts';
import { parseResponse } from '../../../apdu/iso7816/response-apdu.ts';
import { describeStatus, formatStatus, SW_OK, type StatusMeaning } from '../../../apdu/iso7816/status-word.ts';
import { toHex } from '../../../apdu/octets.ts';
import { type CardOptions, print, withCard } from '../options/card-option.ts';
import { hexDump, spacedHex } from '../terminal/hex-dump.ts';

const INS_SELECT = 0xa4;

/** `tollcast card apdu`: each command once, as it is; nothing is fetched, repeated or added. */
export async function runCommands(commands: readonly Uint8Array[], options: CardOptions): Promise<void> {
  await withCard(options, async (channel) => {
    let ourModule = false;
    for (const command of commands) {
      const { data, status } = parseResponse(await channel.transmit(command));
      if (isSelect(command)) ourModule = status === SW_OK && toHex(command).includes(toHex(MODULE_AID));
      const meaning = ourModule ? describeModuleStatus(status) : describeStatus(status);
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
    `> ${spacedHex(command)}`,
    ...hexDump(data).map((line) => `  ${line}`),
    ...describeTlv(tryParseTlv(data) ?? [], '  '),
    `< ${formatStatus(status)} ${meaning.text}${advice}`,
  ];
}

function describeTlv(row: readonly Tlv[], indent: string): string[] {
  return row.flatMap(({ tag, value, children }) => {
    const name = tag.toString(16).toUpperCase().padStart(2, '0');
    if (children === undefined) return [`${indent}${name} (${value.length}) ${spacedHex(value)}`.trimEnd()];
    return [`${indent}${name} (${value.length})`, ...describeTlv(children, `${indent}  `)];
  });
}
