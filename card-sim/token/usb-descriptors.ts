import { concat, fromHex } from '../../apdu/octets.ts';
import { FRAME_LENGTH } from '../../apdu/token/frame.ts';

/** How fast a token talks, and by what kind of endpoints. */
export interface UsbForm {
  readonly speed: 'full' | 'high';
  readonly endpoints: 'bulk' | 'interrupt';
}

/** Alternate setting 0 of interface 0, with two endpoints; it has no name. */
const INTERFACE = fromHex('0904000002ff544300');
const TRANSFER_TYPE = { bulk: 2, interrupt: 3 } as const;
/** Octets of a packet of a bulk endpoint at high speed; USB 2.0, 5.8.3. */
const HIGH_SPEED_BULK = 512;
/** An interrupt endpoint is asked in every frame or microframe. */
const INTERVAL = 1;

/** Interface and endpoint descriptors of a token, as they follow each other; `firmware-notes/tokens.md`. */
export function encodeInterface({ speed, endpoints }: UsbForm): Uint8Array {
  const type = TRANSFER_TYPE[endpoints];
  const packet = endpoints === 'bulk' && speed === 'high' ? HIGH_SPEED_BULK : FRAME_LENGTH;
  const interval = endpoints === 'bulk' ? 0 : INTERVAL;
  const endpoint = (address: number) => Uint8Array.of(7, 5, address, type, packet & 0xff, packet >> 8, interval);
  return concat(INTERFACE, endpoint(0x81), endpoint(0x02));
}
