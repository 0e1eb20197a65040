import type { VerificationKey } from '../../../apdu/decode-module/keys/verification-key.ts';
import type { PurseStatus } from '../../../apdu/decode-module/money/purse-status.ts';
import type { Tariff } from '../../../apdu/decode-module/money/tariff.ts';
import type { StopReason } from '../card/stop-reason.ts';

/** Why packets or key messages were let go, and what each reason means. Packets and messages are counted singly. */
export const DROP_REASONS = {
  malformed: 'not a packet of this protocol, or cut short',
  stranger: 'of somebody else who sends to this address',
  foreign: 'of a stream that no content key of this card is for',
  otherService: 'of another service than this run is of',
  duplicate: 'came before',
  outside: 'of a group too far ahead of the stream to be of it',
  late: 'of a group that is over: replayed, or too late',
  noCardPacket: 'gap packets whose card packet did not come',
  forged: 'not what the sender sealed',
  overDeclared: 'of a group that says it has more octets than came',
  damaged: 'of a group too damaged to be paid for',
  held: 'of a file, and here already or not described yet',
  cardSlow: 'the card did not get round to them',
  noCard: 'no card was there',
  noKey: 'their key did not come in time',
  noCredit: 'not enough credit',
  noPlayer: 'nobody took the output',
  noConsent: 'the price was not accepted yet',
  refused: 'the card refused their group',
  keyMalformed: 'not a key message of this protocol, or cut short',
  keyForged: 'a key message that the card found forged',
  keyReplayed: 'a key message used before',
  keyRefused: 'a key message that the card does not accept',
} as const;

export type DropReason = keyof typeof DROP_REASONS;

export type BridgeState =
  | 'waiting for the card'
  | 'waiting for keys'
  | 'waiting for the stream'
  | 'waiting for a player'
  | 'waiting for credit'
  | 'waiting for your consent'
  | 'playing'
  | 'refused'
  | 'ended';

/** What a bridge is doing and has done. Octets are octets of clear RTP payload. */
export interface BridgeStatus {
  readonly state: BridgeState;
  /** Why it is not playing, in words. */
  readonly reason: string | undefined;
  /** Why the card stopped; undefined while it goes on. */
  readonly stopReason: StopReason | undefined;
  /** The day of media time that the card was at when it stopped last, since 1970. */
  readonly stoppedOn: number | undefined;
  /** Whose signatures the issuer of this card trusts; nobody else's count. */
  readonly trusted: readonly VerificationKey[];
  /** Card id as people write it; undefined before the card was there. */
  readonly card: string | undefined;
  readonly service: number | undefined;
  /** What the newest group costs that the card was asked about. */
  readonly tariff: Tariff | undefined;
  /** As the card last showed it. */
  readonly purse: PurseStatus | undefined;
  /** Octets charged for: those that the headers of opened groups claim. */
  readonly paid: number;
  /** Octets delivered of those. */
  readonly received: number;
  /** Octets paid and not delivered. */
  readonly missing: number;
  /** Groups opened. */
  readonly groups: number;
  /** Packets delivered. */
  readonly packets: number;
  readonly drops: Readonly<Record<DropReason, number>>;
  /** Commands sent to the card. */
  readonly commands: number;
  /** ms from the start to the first packet delivered. */
  readonly firstAfter: number | undefined;
}
