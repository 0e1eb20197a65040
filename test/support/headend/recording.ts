import type { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { separate } from '../../../apdu/decode-module/keys/combined-section.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { ModuleError } from '../../../apdu/decode-module/module-status.ts';
import { completeCardPart, readCardPartLength } from '../../../apdu/decode-module/packets/card-part.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../apdu/layout/keys.ts';
import { readUint, toHex } from '../../../apdu/octets.ts';

/** The card part of a card packet, as a card takes it. */
function cardPartOf(packet: Uint8Array): Uint8Array {
  const payload = packet.subarray(12);
  const part = payload.subarray(0, readCardPartLength(payload));
  const group = readUint(packet, packet.length - 4, 4) - 0x80000000;
  return completeCardPart(part, readUint(packet, 8, 4), group);
}

/** Single key messages, each once, in the order of their first coming. */
export function takeApart(messages: Iterable<Uint8Array>): Uint8Array[] {
  const single = [...messages].flatMap((octets) => (octets[0] === KIND.combinedSection ? separate(octets) : [octets]));
  return [...new Map(single.map((octets) => [toHex(octets), octets])).values()];
}

/** Whether a card takes it. */
export async function isTaken(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof ModuleError) return false;
    throw error;
  }
}

/** A group that was recorded: its card packet, and what stands there in the clear. */
export interface RecordedGroup {
  readonly part: Uint8Array;
  readonly contentKeyId: number;
  readonly mediaTime: number;
}

export function readGroup(cardPacket: Uint8Array): RecordedGroup {
  const part = cardPartOf(cardPacket);
  return { part, contentKeyId: readUint(part, 14, 4), mediaTime: readUint(part, 10, 4) };
}

/**
 * Hands a card all that was recorded, in this order and twice, for each content key anew, and tries each group.
 * @param messages single key messages.
 * @param groups in the order in which they were sent.
 * @returns media times of the groups that opened.
 */
export async function tryRecording(
  module: DecodeModule,
  messages: readonly Uint8Array[],
  groups: readonly RecordedGroup[],
): Promise<number[]> {
  const opened: number[] = [];
  let contentKeyId: number | undefined;
  for (const group of groups) {
    if (group.contentKeyId !== contentKeyId) {
      ({ contentKeyId } = group);
      for (const { kind, service, keyId } of await module.listKeys()) {
        const isReloadable = kind === KIND.content || kind === KIND.segment;
        if (isReloadable) await isTaken(module.deleteKey(kind, service, keyId));
      }
      // Places for contents are few: of these, those that could open it.
      const useful = messages.filter(
        (octets) => octets[0] !== KIND.content || KEY.readUint(octets, 'keyId') === contentKeyId,
      );
      for (const message of [...useful, ...useful]) await isTaken(module.loadKey(message));
    }
    if (await isTaken(module.decode(group.part))) opened.push(group.mediaTime);
  }
  return opened;
}
