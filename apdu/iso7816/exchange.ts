import type { CardChannel } from '../card-channel.ts';
import { FormatError, OutOfRangeError } from '../errors.ts';
import { concat } from '../octets.ts';
import { encodeCommand, type CommandApdu } from './command-apdu.ts';
import { MAX_RESPONSE_DATA, parseResponse, type ResponseApdu } from './response-apdu.ts';
import { SW_OK } from './status-word.ts';

const INS_GET_RESPONSE = 0xc0;
/** CLA bit 5: "this command is not the last of the chain" (ISO/IEC 7816-4 5.3.3). */
const CLA_CHAINED = 0x10;

export interface ExchangeOptions {
  /**
   * Most octets of data in one command; longer data goes by command chaining in short commands. 1..255. Without it
   * longer data travels in one extended command.
   */
  readonly chainAt?: number;
  /** Most octets of data taken together over all GET RESPONSE rounds; 65,536 if left out. */
  readonly maxAnswer?: number;
  /** CLA of GET RESPONSE; if left out the inter-industry class on the command's own logical channel. */
  readonly getResponseCla?: number;
}

/**
 * Sends one command and brings back the whole answer, whatever its status word: 61xx is followed by GET RESPONSE and
 * 6Cxx by the same command with the Le the card named, each only where the command asked for an answer (cases 2 and
 * 4). Nothing else is ever sent twice: 6Cxx alone says that the card did not carry the command out.
 *
 * @throws OutOfRangeError when the command does not fit.
 * @throws FormatError when the card answers more than `maxAnswer`, or 61xx for ever.
 */
export async function exchange(
  channel: CardChannel,
  command: CommandApdu,
  options?: ExchangeOptions,
): Promise<ResponseApdu> {
  let last = command;
  if (options?.chainAt !== undefined && command.data !== undefined) {
    const chained = await sendChain(channel, command, command.data, options.chainAt);
    if ('status' in chained) return chained;
    last = chained;
  }
  const response = parseResponse(await channel.transmit(encodeCommand(last)));
  const sw1 = response.status >>> 8;
  if ((sw1 !== 0x61 && sw1 !== 0x6c) || last.le === undefined) return response;
  return settle(channel, last, response, options ?? {});
}

/** Sends all commands of a chain but the last and returns the last; or the answer at which the card broke it off. */
async function sendChain(
  channel: CardChannel,
  command: CommandApdu,
  data: Uint8Array,
  chainAt: number,
): Promise<CommandApdu | ResponseApdu> {
  if (!(Number.isInteger(chainAt) && chainAt >= 1 && chainAt <= 255)) {
    throw new OutOfRangeError(`a command of a chain holds 1 to 255 octets, not ${chainAt}`);
  }
  if ((command.cla & CLA_CHAINED) !== 0) {
    throw new OutOfRangeError(
      `CLA ${command.cla.toString(16)} has the chaining bit set already; leave it to the chain`,
    );
  }
  const { ins, p1, p2 } = command;
  let at = 0;
  for (; data.length - at > chainAt; at += chainAt) {
    const part = { cla: command.cla | CLA_CHAINED, ins, p1, p2, data: data.subarray(at, at + chainAt) };
    const response = parseResponse(await channel.transmit(encodeCommand(part)));
    if (response.status !== SW_OK) return response;
  }
  return { ...command, data: data.subarray(at) };
}

/** Follows 6Cxx once, then 61xx to its end. */
async function settle(
  channel: CardChannel,
  command: CommandApdu,
  first: ResponseApdu,
  options: ExchangeOptions,
): Promise<ResponseApdu> {
  const { maxAnswer = MAX_RESPONSE_DATA, getResponseCla = getResponseClass(command.cla) } = options;
  let response = await withRightLe(channel, command, first);
  const parts = [response.data];
  let total = response.data.length;
  while (response.status >>> 8 === 0x61) {
    const le = response.status & 0xff || 256;
    const getResponse = { cla: getResponseCla, ins: INS_GET_RESPONSE, p1: 0, p2: 0, le };
    response = parseResponse(await channel.transmit(encodeCommand(getResponse)));
    response = await withRightLe(channel, getResponse, response);
    total += response.data.length;
    if (total > maxAnswer) {
      throw new FormatError(`the card answers more than ${maxAnswer} octets; ask it for less at a time`);
    }
    if (response.data.length === 0 && response.status >>> 8 === 0x61) {
      throw new FormatError('the card keeps announcing octets (61xx) without giving any; the card is faulty');
    }
    parts.push(response.data);
  }
  return parts.length === 1 ? response : { data: concat(...parts), status: response.status };
}

async function withRightLe(channel: CardChannel, command: CommandApdu, response: ResponseApdu): Promise<ResponseApdu> {
  if (response.status >>> 8 !== 0x6c || response.data.length > 0) return response;
  const le = response.status & 0xff || 256;
  return parseResponse(await channel.transmit(encodeCommand({ ...command, le })));
}

/** The inter-industry class of the same logical channel, no chaining, no secure messaging (ISO/IEC 7816-4 5.4.1). */
export function getResponseClass(cla: number): number {
  return (cla & 0x40) !== 0 ? 0x40 | (cla & 0x0f) : cla & 0x03;
}
