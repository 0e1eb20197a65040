import type { Bill } from '../bridge/run-end.ts';
import type { BridgeStatus } from '../bridge/status/bridge-status.ts';
import { formatMoney } from '../money/amount.ts';
import { currencyByNumber } from '../money/currency.ts';
import { formatPrice } from '../money/price.ts';

/** The elements of the page, which `host/relay/page-parts.ts` names. */
export const ELEMENTS = {
  video: find('video', HTMLVideoElement),
  card: find('#card', HTMLSelectElement),
  bring: find('#bring', HTMLLabelElement),
  file: find('#file', HTMLInputElement),
  pin: find('#pin', HTMLInputElement),
  play: find('#play', HTMLButtonElement),
  stop: find('#stop', HTMLButtonElement),
  question: find('#question', HTMLDialogElement),
};

const STATE = find('#state', HTMLElement);
const PRICE = find('#price', HTMLElement);
const PAID = find('#paid', HTMLElement);
const BALANCE = find('#balance', HTMLElement);
const BILL = find('#bill', HTMLElement);

/** Says what the page does, on one line. */
export function say(text: string): void {
  if (STATE.textContent !== text) STATE.textContent = text;
}

/** Shows price, octets and balance as they are now. */
export function showStatus({ tariff, purse, paid }: BridgeStatus): void {
  PAID.textContent = `${(paid / 1e6).toFixed(2)} MB`;
  PAID.title = `${paid} octets`;
  if (purse === undefined) return;
  const currency = currencyByNumber(purse.currency);
  BALANCE.textContent = formatMoney(purse.balance, currency);
  if (tariff !== undefined) PRICE.textContent = formatPrice({ tariff, currency });
}

/** Shows what a run came to, as the card signed it. */
export function showBill(bill: Bill | undefined): void {
  if (bill === undefined) {
    BILL.textContent = 'the card does not answer; it settles when it is next opened';
    return;
  }
  const currency = currencyByNumber(bill.currency);
  const torn = bill.torn === 0n ? '' : `, ${formatMoney(bill.torn, currency)} torn, which the next load gives back`;
  BILL.textContent = `${formatMoney(bill.amount, currency)}${torn}`;
  BALANCE.textContent = formatMoney(bill.balance, currency);
}

/** Asks whether a price is paid. @returns false when the user says no, or the signal aborts. */
export function askPrice(text: string, signal: AbortSignal): Promise<boolean> {
  const { question } = ELEMENTS;
  question.querySelector('p')!.textContent = `${text}. Pay it?`;
  question.returnValue = 'no';
  question.showModal();
  return new Promise((resolve) => {
    const close = () => question.close('no');
    signal.addEventListener('abort', close, { once: true });
    question.addEventListener(
      'close',
      () => {
        signal.removeEventListener('abort', close);
        resolve(question.returnValue === 'yes');
      },
      { once: true },
    );
  });
}

function find<T extends HTMLElement>(selector: string, type: new () => T): T {
  const element = document.querySelector(selector);
  if (element instanceof type) return element;
  throw new Error(`the page has no ${selector}`);
}
