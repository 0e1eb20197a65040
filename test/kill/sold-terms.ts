/** What each card has at first. */
export const CREDIT = '5.00 USD';
/** What a voucher is worth. */
export const VOUCHER = '0.01 USD';
/** Micro-units that a million octets cost. */
export const PRICE = 100_000n;
/** Micro-units that an hour costs, by invoice. */
export const HOUR_PRICE = 5_000_000;
