import { type BridgeEnd, type BridgeStatus, DROP_REASONS, type StopReason } from '../../bridge/index.ts';
import type { Charge } from '../../contract/answers/answer.ts';
import { formatMoney } from '../../money/amount.ts';
import { type Currency, currencyByNumber } from '../../money/currency.ts';
import { formatPrice } from '../../money/price.ts';
import type { FileProgress, Output } from '../../player/output.ts';
import { quoteWord } from '../../transport/card/quote-word.ts';
import { formatDay, now } from '../terminal/time.ts';

/** Seconds. */
const DAY = 86_400;

/** What a run is doing, on one line. @param rate bit/s of what is delivered. */
export function formatStatus(status: BridgeStatus, rate: number): string {
  const waiting = status.reason === undefined ? '' : `: ${status.reason}`;
  const parts = [
    ...formatPriceAndBalance(status),
    `${(rate / 1e6).toFixed(2)} Mbit/s`,
    `paid ${formatOctets(status.paid)}`,
    `received ${formatOctets(status.received)}`,
    `missing ${formatOctets(status.missing)}`,
    `${status.state}${waiting}`,
  ];
  return parts.join('  ');
}

/** What an output did with what was paid. */
type OutputCounts = Pick<Output, 'lost' | 'withheld' | 'file'>;

/** What a run received and what it cost. */
export function describeBill(status: BridgeStatus, end: BridgeEnd, output: OutputCounts): string[] {
  const { bill } = end;
  const counts =
    `${status.paid} octets in ${status.groups} groups paid, ` +
    `${status.received} octets in ${status.packets} packets received, ${status.missing} octets missing`;
  const meanings: Readonly<Record<string, string>> = DROP_REASONS;
  const drops = Object.entries(status.drops)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `let go    ${count}: ${meanings[reason]}`);
  const { withheld, lost, file } = output;
  if (withheld > 0) drops.push(`joining   ${withheld} octets paid before the first picture that can be shown`);
  if (lost > 0) drops.push(`thrown    ${lost} octets paid, which the player did not take`);
  if (file !== undefined) drops.push(`file      ${describeFile(file)}`);
  if (bill === undefined) {
    return [
      `counted   ${counts}`,
      ...drops,
      'bill      the card is not here, or does not answer; it settles when it is next opened',
    ];
  }
  const currency = currencyByNumber(bill.currency);
  const torn = bill.torn === 0n ? '' : `, ${formatMoney(bill.torn, currency)} torn, which the next load gives back`;
  return [
    `counted   ${counts}`,
    ...drops,
    `bill      ${formatMoney(bill.amount, currency)}${torn}; balance ${formatMoney(bill.balance, currency)}`,
  ];
}

/** What a join came to, as the head-end told when it was left. */
export function describeCharge({ seconds, amount, currency }: Charge): string {
  const owed =
    currency === undefined || amount === 0n ? 'nothing by invoice' : `${formatMoney(amount, currency)} by invoice`;
  return `joined    ${seconds} s; ${owed}`;
}

/** How much came of a file. */
export function describeFile({ name, length, received, missing, isComplete }: FileProgress): string {
  if (isComplete) return `${name} is whole, ${length} octets with the SHA-256 that was announced`;
  return `${name}: ${received} of ${length} octets came, ${missing} pieces are missing`;
}

/** The same for programs; amounts in micro-units, times in ms. */
export function billToJson(
  status: BridgeStatus,
  end: BridgeEnd,
  { lost, withheld, file }: OutputCounts,
  seconds: number,
  charge?: Charge,
): Record<string, unknown> {
  const { bill } = end;
  return {
    ...(file !== undefined && { file }),
    end: end.code,
    card: status.card,
    service: status.service,
    paid: status.paid,
    received: status.received,
    missing: status.missing,
    lost,
    withheld,
    groups: status.groups,
    packets: status.packets,
    drops: status.drops,
    commands: status.commands,
    firstAfter: status.firstAfter === undefined ? undefined : Math.round(status.firstAfter),
    charged: bill && Number(bill.amount),
    torn: bill && Number(bill.torn),
    balance: bill && Number(bill.balance),
    currency: bill && currencyByNumber(bill.currency).code,
    receipts: bill?.receipts.map(({ number }) => number),
    trusted: status.trusted.map(({ id }) => id),
    ...(charge !== undefined && { joined: charge.seconds, owed: Number(charge.amount) }),
    seconds,
  };
}

/** Why there is no picture any more and what to type, with the price and what is left. @param card its address. */
export function describeStopReason(reason: StopReason, status: BridgeStatus, card: string): string {
  const known = formatPriceAndBalance(status).map((part) => `, ${part}`);
  const at = `--card ${quoteWord(card)}`;
  switch (reason) {
    case 'NO_CREDIT': {
      const amount = `5.00 ${currencyOf(status)?.code ?? 'USD'}`;
      return `not enough credit${known.join('')}; type: tollcast issuer load ${at} --amount "${amount}"`;
    }
    case 'RECEIPTS_DUE':
      return (
        'the card starts nothing new before its issuer has its receipts; deliver them: ' +
        `tollcast card deliver-receipts ${at} --head-end https://..., or tollcast issuer collect ${at}`
      );
    case 'SPEND_LIMIT': {
      const raise = `tollcast card spend-limit AMOUNT ${at}`;
      const { stoppedOn = 0 } = status;
      // Days are of media time. One that was once far ahead, by a wrong clock, counts until it is over.
      const isAhead = stoppedOn > now() / DAY + 1;
      const next = isAhead
        ? `the card is at ${formatDay(stoppedOn)}, as a stream once said, and the limit holds until then; type`
        : 'wait for the next day, or type';
      return `the spend limit of this day is reached${known.join('')}; ${next}: ${raise}`;
    }
  }
}

/** Price and balance, as far as they are known. */
export function formatPriceAndBalance(status: BridgeStatus): string[] {
  const currency = currencyOf(status);
  if (currency === undefined) return [];
  const { tariff, purse } = status;
  return [
    ...(tariff === undefined ? [] : [`price ${formatPrice({ tariff, currency })}`]),
    ...(purse === undefined ? [] : [`balance ${formatMoney(purse.balance, currency)}`]),
  ];
}

/** Whose signatures the card trusts; nothing when it names nobody. */
export function formatTrust({ trusted }: BridgeStatus): string[] {
  if (trusted.length === 0) return [];
  return [`trusts ${trusted.map(({ id }) => `signer ${id}`).join(', ')} and no other`];
}

function currencyOf({ purse }: BridgeStatus): Currency | undefined {
  return purse && currencyByNumber(purse.currency);
}

function formatOctets(count: number): string {
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(2)} MB` : `${(count / 1e9).toFixed(3)} GB`;
}
