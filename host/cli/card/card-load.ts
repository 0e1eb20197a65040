import { createHash, randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { fetchLoad, type PostJson } from '../../holder/loads/fetch-load.ts';
import { formatMoney } from '../../money/amount.ts';
import { currencyByNumber } from '../../money/currency.ts';
import { requestPinned } from '../../transport/network/pinned-https.ts';
import { addCardOptions, type CardOptions, print, withCard } from '../options/card-option.ts';
import { parseHeadEnd } from '../options/head-end-option.ts';
import { findHeadEnd, type KnownHeadEnd } from './known-head-end.ts';

interface LoadOptions extends CardOptions {
  readonly headEnd: URL;
  readonly voucher?: string;
}

/** Octets of an answer. */
const MAX_ANSWER = 65_536;

/** Adds the command that loads a card from a head-end. */
export function addLoadCommand(card: Command): void {
  addCardOptions(
    card
      .command('load')
      .description('load what was paid for at the operator, or a voucher; typed again, it goes on where it stopped')
      .requiredOption('--head-end <url>', 'required: its address, as in https://tv.example:8443', parseHeadEnd)
      .option('--voucher <code>', 'the code of a voucher, as in ABCD-EFGH-JKMN-PQRS'),
  ).action(load);
}

async function load({ headEnd, voucher, ...options }: LoadOptions): Promise<void> {
  await withCard(options, async (channel) => {
    const module = new DecodeModule(channel);
    const { cardId } = await module.select();
    const post = postJsonTo(await findHeadEnd(headEnd, module));
    const loaded = await fetchLoad(module, post, { key: makeKey(cardId, voucher), voucher });
    const { balance, currency } = await module.getPurse();
    const money = (amount: bigint) => formatMoney(amount, currencyByNumber(currency));
    const { kind, amount, refund, repeated } = loaded;
    const name = formatCardId(cardId);
    const what = kind === 'load' ? `loaded with ${money(amount)}` : `given a credit limit of ${money(amount)}`;
    const also = refund === 0n ? '' : `, and ${money(refund)} of torn credit given back`;
    print(
      options,
      { card: name, kind, amount: Number(amount), refund: Number(refund), repeated, balance: Number(balance) },
      [
        `card ${name}: ${what}${also}; balance ${money(balance)}`,
        ...(repeated ? ['this was done before; nothing is loaded twice'] : []),
      ],
    );
  });
}

/** A voucher typed again is the same claim. What was paid at the desk is fetched once whatever the key. */
function makeKey(cardId: Uint8Array, voucher: string | undefined): string {
  if (voucher === undefined) return randomBytes(16).toString('hex');
  return createHash('sha256').update('tollcast load 1\0').update(cardId).update(voucher).digest('hex').slice(0, 32);
}

function postJsonTo({ url, tlsKey }: KnownHeadEnd): PostJson {
  return (path, body, headers) =>
    requestPinned({
      url: new URL(path, url),
      tlsKey,
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: new TextEncoder().encode(JSON.stringify(body)),
      maxAnswer: MAX_ANSWER,
    });
}
