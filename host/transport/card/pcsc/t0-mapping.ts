import { TransportError } from '../../../../apdu/errors.ts';
import { encodeCommand, parseCommand } from '../../../../apdu/iso7816/command-apdu.ts';
import { getResponseClass } from '../../../../apdu/iso7816/exchange.ts';
import { statusOf } from '../../../../apdu/iso7816/response-apdu.ts';

/**
 * Sends an APDU to a card that speaks T=0, whose commands carry data one way only (ISO/IEC 7816-3 12.2): case 1 gets a
 * P3 of 00, case 4 loses its Le and its answer is fetched with GET RESPONSE.
 *
 * @throws TransportError with code T0_SHORT_ONLY for extended length.
 */
export async function transmitOverT0(
  command: Uint8Array,
  send: (command: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const { extended, data, le, ...header } = parseCommand(command);
  if (extended === true) {
    throw new TransportError(
      'T0_SHORT_ONLY',
      'the card speaks T=0 and takes at most 255 octets of data in a command; send short commands, or a chain',
    );
  }
  if (data === undefined && le === undefined) return send(encodeCommand({ ...header, le: 256 }));
  if (data === undefined || le === undefined) return send(command);
  const answer = await send(encodeCommand({ ...header, data }));
  // 12.2.5: 61xx after a case 4 command is the transport's to follow; anything else is the card's answer.
  if (answer.length !== 2 || statusOf(answer) >>> 8 !== 0x61) return answer;
  const waiting = statusOf(answer) & 0xff || 256;
  const getResponse = { cla: getResponseClass(header.cla), ins: 0xc0, p1: 0, p2: 0, le: Math.min(le, waiting) };
  return send(encodeCommand(getResponse));
}
