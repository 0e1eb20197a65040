import { randomBytes } from 'node:crypto';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { type Mode, completeCardPart } from '../../../apdu/decode-module/packets/card-part.ts';
import { GROUP_KEY } from '../../../apdu/layout/packets.ts';
import { concat, hasSameOctets } from '../../../apdu/octets.ts';
import { MKI_LENGTH } from '../../stream/packet/mki.ts';
import { nobleAead } from '../../stream/packet/packet-aead.ts';
import { RTP_HEADER } from '../../stream/packet/rtp-packet.ts';
import { deriveSrtpSession, computePacketIv } from '../../stream/packet/srtp-keys.ts';
import { GroupSealer, MAX_PAYLOAD } from '../../stream/sealing/group-sealer.ts';
import { AttackError } from '../kit/attack-error.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { decodePart, HonestService, START } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';

interface SharedMode {
  readonly name: string;
  readonly mode: Mode;
  /** Octets of the span. */
  readonly span: number;
  readonly packets: number;
  /** Octets of a packet's payload. */
  readonly payload: number;
}

const TS_PACKET = 188;
const MODES: readonly SharedMode[] = [
  { name: 'sealed, span 16', mode: 'sealed', span: 16, packets: 100, payload: MAX_PAYLOAD },
  { name: 'sealed, span 208', mode: 'sealed', span: 208, packets: 100, payload: MAX_PAYLOAD },
  { name: 'open, span 208', mode: 'open', span: 208, packets: 100, payload: MAX_PAYLOAD },
  { name: 'strict', mode: 'open', span: 208, packets: 1, payload: TS_PACKET },
];

/**
 * Measures what a sharer must pass on so that others can watch.
 * @param bitRate bit/s of the payload.
 */
export function makeShareAttack(bitRate: number): Attack {
  return {
    name: 'share',
    title: 'pass on what the card gives out',
    async *run(target) {
      for (const one of MODES) yield await shareMode(target, one, bitRate);
    },
  };
}

async function shareMode(target: Target, one: SharedMode, bitRate: number): Promise<Attempt> {
  const service = await HonestService.start(target);
  const { packets, payloads, part, index } = sealGroup(service, one);
  const answers = new Answers();
  const answer = await target.mustSucceed('DECODE', decodePart(part));
  answers.add(STATUS.DONE);
  const opened = openAsSharer(one, packets, answer, service, index);
  const whole = opened.every((octets, i) => hasSameOctets(octets, payloads[i]!));
  if (!whole || opened.length !== payloads.length) {
    throw new AttackError(
      'CONTROL',
      `what the card answered does not open its group (${one.name}): it is not a decode module`,
    );
  }
  const groups = bitRate / (8 * one.payload * one.packets);
  const rate = Math.round(groups * answer.length * 8);
  return {
    tried: `${one.name}, 1 card packet in ${one.packets}, payload ${one.payload}, stream ${bitRate} bit/s`,
    answers: answers.list,
    verdict: 'measured',
    note:
      `a second host without a card opened the whole group with the ${answer.length} octets that the card ` +
      `answered: whoever shares passes on ${rate} bit/s, ${formatPercent(rate, bitRate)} of the stream`,
    figures: { 'octets per group': answer.length, 'bit/s to share': rate, 'bit/s of the stream': bitRate },
  };
}

function formatPercent(part: number, whole: number): string {
  return `${Number(((100 * part) / whole).toPrecision(2))} %`;
}

function sealGroup(service: HonestService, one: SharedMode) {
  const payloads = Array.from({ length: one.packets }, () => randomBytes(one.payload));
  const key = { id: service.contentId, ciphers: service.deriveCiphers(), masterSalt: service.masterSalt };
  const sealer = new GroupSealer({
    ssrc: service.ssrc,
    mode: one.mode,
    span: one.span,
    every: one.packets,
    closingTime: 60_000,
    payloadType: 33,
    firstSequence: 1,
    random: (length) => randomBytes(length),
  });
  const groups = payloads.flatMap((octets) => sealer.push({ octets, duration: 2, at: 0, timestamp: 0 }, key, START));
  const [group] = groups;
  if (group === undefined) throw new TypeError('a group of so many packets is closed by its last');
  const packets = group.packets.map(({ octets }) => octets);
  const sent = packets[0]!.subarray(RTP_HEADER, RTP_HEADER + 24 + one.span + 8);
  return {
    packets,
    payloads,
    part: completeCardPart(sent, service.ssrc, group.header.group),
    index: group.header.index,
  };
}

/** Opens a group as a second host does, from the public packets and the card's answer. */
function openAsSharer(
  { mode, span }: SharedMode,
  packets: readonly Uint8Array[],
  answer: Uint8Array,
  { ssrc, masterSalt }: HonestService,
  index: number,
): Uint8Array[] {
  const content = mode === 'sealed' ? answer.subarray(GROUP_KEY) : answer;
  const session = deriveSrtpSession(answer.subarray(0, GROUP_KEY), masterSalt);
  const aead = nobleAead(session.key);
  return packets.map((packet, i) => {
    const restAt = RTP_HEADER + (i === 0 ? 24 + span + 8 : 0);
    const end = packet.length - MKI_LENGTH;
    const rest =
      mode === 'open'
        ? packet.subarray(restAt, end)
        : aead.open(
            computePacketIv(session.salt, ssrc, index + i),
            packet.subarray(0, restAt),
            packet.subarray(restAt, end),
          );
    const before = i === 0 ? content : new Uint8Array(0);
    // In strict mode the span is longer than the payload.
    const clear = concat(before, rest ?? new Uint8Array(0));
    return packets.length === 1 ? clear.subarray(0, TS_PACKET) : clear;
  });
}
