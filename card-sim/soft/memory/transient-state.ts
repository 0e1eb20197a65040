import type { CbcFactory } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import type { Mark, SessionTotals } from '../../../apdu/decode-module/money/log-record.ts';
import type { CommandLimits } from '../command-limits.ts';
import { CONTENT_PLACES, type ContentKey, SEGMENT_PLACES, type SegmentKey } from '../keys/keys.ts';
import { NO_TICKS, type Ticks } from '../money/ticks.ts';
import type { CardSecureChannel } from '../secure-channel.ts';

/** The open session in RAM; its totals in the record are those before the last take. */
export class Session implements SessionTotals {
  readonly service: number;
  /** In micro-units, as in the record. */
  taken = 0;
  used: Ticks = NO_TICKS;
  octets = 0;
  duration = 0;
  groups = 0;
  firstSegment = 0;
  lastSegment = 0;
  from = 0;
  to = 0;

  constructor(service: number) {
    this.service = service;
  }
}

/** The mark of a stream, and whether its group may be asked for again. */
export class StreamMark implements Mark {
  readonly ssrc: number;
  group: number;
  /** Opened since the last OPEN SESSION. */
  opened = false;

  constructor(ssrc: number, group: number) {
    this.ssrc = ssrc;
    this.group = group;
  }
}

/** Everything that goes with the power. */
export class TransientState {
  /** The logical channel on which the module was selected since the reset, 0 to 3. */
  selectedOn: number | undefined;
  readonly channel: CardSecureChannel;
  readonly limits: CommandLimits;
  /** Security level of the command at hand, 0 for a plain one. */
  level = 0;
  /** Whether the PIN is verified (protocol 8). */
  pinVerified = false;
  session: Session | undefined;
  readonly segments: (SegmentKey | undefined)[] = Array.from({ length: SEGMENT_PLACES }, () => undefined);
  readonly contents: (ContentKey | undefined)[] = Array.from({ length: CONTENT_PLACES }, () => undefined);
  /** The stream first seen longest ago comes first. */
  readonly marks: StreamMark[];
  /** The highest of all groups opened since the reset, seconds since 1970. */
  highestMediaTime = 0;
  /** What GET RESPONSE brings; empty without a rest. */
  rest: Uint8Array = new Uint8Array(0);

  /** Makes the ciphers of segment and content keys; undefined where JavaScript is to do it. */
  readonly makeCipher: CbcFactory | undefined;

  /** @param marks of the record. */
  constructor(
    marks: readonly Mark[],
    channel: CardSecureChannel,
    limits: CommandLimits,
    makeCipher: CbcFactory | undefined,
  ) {
    this.makeCipher = makeCipher;
    this.limits = limits;
    this.channel = channel;
    this.marks = marks.map(({ ssrc, group }) => new StreamMark(ssrc, group));
  }
}
