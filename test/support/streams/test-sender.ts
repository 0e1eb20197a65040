import { type Clock, systemClock } from '../../../host/clock/clock.ts';
import {
  type GrantNumbers,
  KeyManager,
  type KeyManagerOptions,
  limitGroups,
  type MediaSource,
  type SealingProfile,
  ServiceSender,
  type ServiceSenderOptions,
  startStream,
  type StreamStart,
} from '../../../host/headend/index.ts';

/** What a test wants otherwise than {@link makeSender} has it. */
export interface SenderChanges {
  readonly source?: Partial<ServiceSenderOptions['source']>;
  readonly profile?: Partial<SealingProfile>;
  readonly pace?: Partial<ServiceSenderOptions['pace']>;
  readonly keys?: Partial<KeyManagerOptions>;
  readonly numbers?: GrantNumbers;
  readonly clock?: Clock;
  readonly endsAtStop?: boolean;
}

/** A source that gives these chunks at once. */
export function sourceOf(chunks: readonly Uint8Array[]): MediaSource {
  return {
    async *[Symbol.asyncIterator]() {
      for (const octets of chunks) yield { octets };
    },
  };
}

/** A sender of service 7 at 0.25 a megabyte, and its key manager. */
export async function makeSender(
  to: { readonly address: string; readonly port: number; readonly interface?: string },
  changes: SenderChanges,
): Promise<{ readonly sender: ServiceSender; readonly stream: StreamStart }> {
  const { clock = systemClock, numbers = { take: async (cards) => cards.map(() => 1) } } = changes;
  const stream = startStream(clock);
  const profile: SealingProfile = {
    mode: 'sealed',
    span: 64,
    every: 100,
    packing: 7,
    closingTime: 250,
    ...changes.profile,
  };
  const keys = await KeyManager.start(
    {
      service: 7,
      stream,
      price: { tariff: { kind: 'octets', price: 250_000n } },
      groupLimits: limitGroups(profile),
      granted: 86_400,
      period: 300,
      cards: [],
      ...changes.keys,
    },
    numbers,
  );
  const sender = new ServiceSender({
    stream,
    source: { media: sourceOf([]), format: 'data', ...changes.source },
    profile,
    keys,
    to: { interface: '127.0.0.1', ttl: 1, keyPort: to.port + 2, ...to },
    pace: { speed: 1, lead: 50, ...changes.pace },
    endsAtStop: changes.endsAtStop === true,
    clock,
  });
  return { sender, stream };
}
