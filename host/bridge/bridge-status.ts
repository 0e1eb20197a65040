import type { PurseStatus } from '../../apdu/decode-module/money/purse-status.ts';
import type { Tariff } from '../../apdu/decode-module/money/tariff.ts';
import type { VerificationKey } from '../../apdu/decode-module/keys/verification-key.ts';
import type { StopReason } from './stop-reason.ts';

/** Why packets or key messages were let go, with what it means; counted one by one. */
export const DROP_REASONS = {
  malformed: 'not a packet of this protocol, or cut short',
  foreign: 'of a stream that no content key of this card is for',
  otherService: 'of another service than this run is of',
  duplicate: 'came before',
  late: 'of a group that is over: replayed, or too late',
  noCardPacket: 'gap packets whose card packet did not come',
  forged: 'not what the sender sealed',
  overDeclared: 'of a group that says it has more octets than came',
  damaged: 'of a group too damaged to be paid for',
  cardSlow: 'the card did not get round to them',
  noCard: 'no card was there',
  noKey: 'their key did not come in time',
  noCredit: 'not enough credit',
  noPlayer: 'nobody took the output',
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
  | 'playing'
  | 'refused'
  | 'ended';

/** What a bridge is doing and has done. Octets are those of RTP payload, as the sender had them. */
export interface BridgeStatus {
  readonly state: BridgeState;
  /** In words, when it is not playing. */
  readonly reason: string | undefined;
  /** While it waits for credit: what is lacking. */
  readonly stopReason: StopReason | undefined;
  /** Whose signatures this card's issuer wants to be trusted; nobody else is. */
  readonly trusted: readonly VerificationKey[];
  /** As people write it; undefined before the card was there. */
  readonly card: string | undefined;
  readonly service: number | undefined;
  /** Of the newest group that the card was asked about. */
  readonly tariff: Tariff | undefined;
  /** As the card last showed it. */
  readonly purse: PurseStatus | undefined;
  /** Octets that the headers of opened groups claim: what is charged for. */
  readonly paid: number;
  /** Octets delivered of them. */
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

/** The status while it is being kept. */
export type Account = { -readonly [Field in keyof BridgeStatus]: BridgeStatus[Field] } & {
  readonly drops: Record<DropReason, number>;
};

export function openAccount(): Account {
  return {
    state: 'waiting for the card',
    reason: undefined,
    stopReason: undefined,
    trusted: [],
    card: undefined,
    service: undefined,
    tariff: undefined,
    purse: undefined,
    paid: 0,
    received: 0,
    missing: 0,
    groups: 0,
    packets: 0,
    drops: {
      malformed: 0,
      foreign: 0,
      otherService: 0,
      duplicate: 0,
      late: 0,
      noCardPacket: 0,
      forged: 0,
      overDeclared: 0,
      damaged: 0,
      cardSlow: 0,
      noCard: 0,
      noKey: 0,
      noCredit: 0,
      noPlayer: 0,
      refused: 0,
      keyMalformed: 0,
      keyForged: 0,
      keyReplayed: 0,
      keyRefused: 0,
    },
    commands: 0,
    firstAfter: undefined,
  };
}
