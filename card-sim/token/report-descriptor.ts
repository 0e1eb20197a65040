import { fromHex } from '../../apdu/octets.ts';

/** The HID report descriptor of a token; `firmware-notes/tokens.md`. */
export const REPORT_DESCRIPTOR = fromHex('0600ff0a4354a101150026ff00750895400901810209029102c0');
