import type { ModuleError } from '../../apdu/decode-module/module-status.ts';
import type { BridgeState, DropReason } from './bridge-status.ts';
import type { KeyLoader } from './key-loader.ts';

/** Why nothing is opened, with what to do. */
export function whyNothing(
  card: string | undefined,
  keys: KeyLoader,
  { isReady, silent }: { readonly isReady: boolean; readonly silent: boolean },
): [BridgeState, string] | undefined {
  if (!isReady) return ['waiting for a player', 'nobody takes the output; nothing is paid meanwhile'];
  if (!keys.hasContent) {
    const { lacking, service } = keys;
    const which = service === undefined ? 'keys' : `keys of service ${service}`;
    return [
      'waiting for keys',
      lacking === undefined
        ? `no ${which} for this card have come; check the key port, and that the sender was started for this card`
        : `card ${card} has no key for service ${lacking}; ask its operator for it`,
    ];
  }
  if (silent) return ['waiting for the stream', 'no packets come; check the group, the port and the interface'];
  return undefined;
}

/** Why packets pile up until there is no more room for them. */
export function whyOverflow(
  state: BridgeState,
  { isReady, hasKey }: { readonly isReady: boolean; readonly hasKey: boolean },
): DropReason {
  if (state === 'waiting for the card') return 'noCard';
  if (state === 'waiting for credit') return 'noCredit';
  if (!isReady) return 'noPlayer';
  return hasKey ? 'cardSlow' : 'noKey';
}

/** What a card has against a key message, with what its holder can do. @param pin whether the PIN was presented. */
export function keyAdvice({ code, message }: ModuleError, pin: boolean): string {
  if (code === 'BAD_FIELD')
    return 'the card refuses a key that it was granted: it may be priced in another currency; ask the operator';
  if (code !== 'ABOVE_RATING') return message;
  const next = pin
    ? 'the PIN does not lift that limit; ask its issuer'
    : 'start again with --pin where its issuer lets the PIN lift that limit, or ask the issuer';
  return `the content is rated above the limit of this card; ${next}`;
}
