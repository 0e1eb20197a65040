import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { systemClock } from '../../clock/clock.ts';
import { parseProblem } from '../../contract/answers/problem.ts';
import { BILL_HASH, BILL_REQUEST } from '../../contract/bill/bill-request.ts';
import { parseUserBill, type UserBill } from '../../contract/bill/user-bill.ts';
import { RequestRefusedError } from '../../holder/requests/subscription.ts';
import { findHeadEnd, postToHeadEnd } from '../card/known-head-end.ts';
import { addCardOptions, type CardOptions, print, withCard } from '../options/card-option.ts';
import { parseHeadEnd } from '../options/head-end-option.ts';
import { formatTime } from '../terminal/time.ts';
import { renderStatement } from './statement-page.ts';

interface BillOptions extends CardOptions {
  readonly headEnd: URL;
  readonly html?: true;
}

/** Adds `tollcast bill` to the program. */
export function addBillCommand(program: Command): void {
  addCardOptions(
    program
      .command('bill')
      .description('ask a head-end what the user of a card owes; the card signs it')
      .requiredOption('--head-end <url>', 'required: its address, as in https://tv.example:8443', parseHeadEnd)
      .option('--html', 'as a page to read and print'),
  ).action(askForBill);
}

async function askForBill({ headEnd, html, ...options }: BillOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    await module.select();
    const known = await findHeadEnd(headEnd, module);
    const from = Math.floor(systemClock.now() / 1000);
    // The card looks at no field of it; the service is none.
    const asked = { service: 0, from, to: 0, requestId: randomBytes(8), sessionHash: BILL_HASH };
    const { status, body } = await postToHeadEnd(known, '/v1/bill')(await module.signRequest(BILL_REQUEST, asked));
    if (status !== 200) throw new RequestRefusedError(parseProblem(body));
    const bill = parseUserBill(body);
    if (html === true) process.stdout.write(renderStatement(bill, from));
    else print(options, bill, describeBill(bill));
  });
}

function describeBill({ user, owed, lines }: UserBill): string[] {
  if (lines.length === 0) return [`${user} owes nothing, and was never charged by invoice`];
  return [
    `${user} owes ${owed.join(' and ')}`,
    ...lines.map(
      ({ entry, kind, at, amount, dispute }) =>
        `  ${formatTime(at)}  ${amount}  ${kind}, entry ${entry}${dispute === undefined ? '' : `, dispute ${dispute}`}`,
    ),
  ];
}
