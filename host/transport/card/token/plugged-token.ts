import { TransportError } from '../../../../apdu/errors.ts';

/** A token that is plugged in. */
export interface PluggedToken {
  /** Serial number; where the token has none, where it is plugged in. */
  readonly serial: string;
  readonly product: string;
  readonly vendorId: number;
  readonly productId: number;
}

/**
 * Finds the token with a serial number, or the one that is plugged in.
 * @param scheme as `--card` has it.
 * @throws TransportError `NO_TOKEN`, `SEVERAL_TOKENS`.
 */
export function chooseToken<T extends PluggedToken>(
  tokens: readonly T[],
  scheme: 'hid' | 'usb',
  serial: string | undefined,
): T {
  const [first, ...others] = tokens.filter((token) => serial === undefined || token.serial === serial);
  const names = tokens.map((token) => `${scheme}:${token.serial}`).join(', ');
  if (first === undefined) {
    const text =
      serial === undefined || tokens.length === 0
        ? 'no token is plugged in; plug one in'
        : `no token has the serial number ${serial}; plugged in: ${names}`;
    throw new TransportError('NO_TOKEN', text);
  }
  if (others.length > 0) {
    throw new TransportError('SEVERAL_TOKENS', `several tokens are plugged in; name one of ${names}`);
  }
  return first;
}
