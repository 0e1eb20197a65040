import { randomBytes, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CardChannel } from '../apdu/card-channel.ts';
import { formatCardId } from '../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../apdu/decode-module/decode-module.ts';
import { TollcastError } from '../apdu/errors.ts';
import { MAX_MONEY } from '../apdu/layout/max-money.ts';
import { TEST_KEY_SET } from '../apdu/secure-channel/test-key-set.ts';
import { CARD_KINDS, type CardKind, type SimulatedCard, startCard } from '../card-sim/index.ts';
import { askPassphrase, choosePassphrase } from '../host/cli/terminal/passphrase.ts';
import { Accounts } from '../host/issuer/cards/accounts.ts';
import { setVerificationKey } from '../host/issuer/cards/card-administration.ts';
import { personalise } from '../host/issuer/cards/personalisation.ts';
import { createStore, DEFAULT_STORE, KeyStore } from '../host/issuer/keys/key-store.ts';
import { readVerificationKey } from '../host/issuer/keys/verification-key-file.ts';
import { DEFAULT_REFUND_CAP, loadCredit } from '../host/issuer/orders/credit.ts';
import { formatMoney, parseMoney } from '../host/money/amount.ts';
import { currencyByCode } from '../host/money/currency.ts';
import { openCard } from '../host/transport/card/card-address.ts';

/** Place of a card of the user's for the key of the demo's head-end. */
const TRUST_PLACE = 3;

/** The card of the demo: one that it started, or the user's own. */
export interface DemoCard {
  /** Shown to the user. */
  readonly name: string;
  readonly kind: CardKind | 'own';
  open(): Promise<CardChannel>;
  /** Persistent writes since the card was started; undefined for a card that does not count them. */
  persistentWrites(): Promise<number | undefined>;
  close(): Promise<void>;
}

const NAMES: Record<CardKind, string> = {
  pcsc: 'Java Card applet on jCardSim, behind PC/SC',
  jcardsim: 'Java Card applet on jCardSim, over TCP',
  soft: 'soft module',
};

/**
 * Starts the card of the demo, or takes the user's.
 * @param wanted a kind of card, or the address of the user's; undefined for the first of pcsc, jcardsim, soft that
 *   starts.
 * @throws TollcastError when the wanted one cannot be had.
 */
export async function findCard(
  wanted: string | undefined,
  folder: string,
  say: (line: string) => void,
): Promise<DemoCard> {
  if (wanted !== undefined && !isKind(wanted)) return ownCard(wanted);
  const kinds = wanted === undefined ? (['pcsc', 'jcardsim', 'soft'] as const) : [wanted];
  for (const [i, kind] of kinds.entries()) {
    try {
      return startedCard(await startCard({ kind, ...(kind === 'soft' ? { state: join(folder, 'soft.card') } : {}) }));
    } catch (error) {
      if (!(error instanceof Error) || i === kinds.length - 1) throw error;
      say(`no ${NAMES[kind]}: ${error.message}`);
    }
  }
  throw new TollcastError('NO_CARD', 'no kind of card could be started');
}

function isKind(text: string): text is CardKind {
  return CARD_KINDS.some((kind) => kind === text);
}

function startedCard(card: SimulatedCard): DemoCard {
  return {
    name: NAMES[card.kind],
    kind: card.kind,
    open: () => card.channel(),
    persistentWrites: async () => (await card.counts()).persistentWrites,
    close: () => card.close(),
  };
}

function ownCard(address: string): DemoCard {
  return {
    name: `your card at ${address}`,
    kind: 'own',
    open: () => openCard(address),
    persistentWrites: async () => undefined,
    close: async () => undefined,
  };
}

/** An issuer's store and its passphrase. The cards that the demo starts get a store that is deleted with them. */
export interface DemoStore {
  readonly folder: string;
  readonly passphrase: string;
}

/** @throws IssuerError as {@link createStore} does. */
export async function openStore(card: DemoCard, folder: string): Promise<DemoStore> {
  const store = card.kind === 'own' ? DEFAULT_STORE : join(folder, 'issuer');
  const isNew = !existsSync(store);
  const ask = isNew ? choosePassphrase : askPassphrase;
  const passphrase = card.kind === 'own' ? await ask({}) : randomBytes(16).toString('hex');
  if (isNew) await createStore(store, randomInt(1, 2 ** 24), passphrase);
  return { folder: store, passphrase };
}

/**
 * Makes a blank card the issuer's, has it trust who signs the offers, and loads it.
 * @param trust the key of the head-end, as `--trust` takes it.
 * @returns its id, as people write it.
 */
export async function prepareCard(
  card: DemoCard,
  store: DemoStore,
  trust: string,
  say: (line: string) => void,
): Promise<string> {
  const key = await readVerificationKey(trust);
  const { amount, currency } = parseMoney('10.00 USD', MAX_MONEY);
  const keys = new KeyStore(store.folder, async () => store.passphrase);
  await using accounts = await Accounts.open(store.folder);
  const channel = await card.open();
  try {
    const module = new DecodeModule(channel);
    const now = Math.floor(Date.now() / 1000);
    const { life } = await module.select();
    if (life === 'blank' || life === 'personalised') {
      const maximumBalance = parseMoney('500.00 USD', MAX_MONEY).amount;
      const wanted = {
        moduleClass: card.kind === 'soft' ? ('soft' as const) : ('card' as const),
        currency: currencyByCode('USD').number,
        maximumBalance,
        maximumUnacknowledged: maximumBalance,
        trust: [key],
      };
      const id = await personalise({ channel, keys, accounts, installed: TEST_KEY_SET, now }, wanted);
      say(`personalised  ${formatCardId(id)}`);
    } else {
      await setVerificationKey({ channel, keys, accounts, installed: TEST_KEY_SET }, TRUST_PLACE, key);
      await module.select();
    }
    const format = (microUnits: bigint) => formatMoney(microUnits, currency);
    const request = { amount, currency: currency.number, refundCap: DEFAULT_REFUND_CAP };
    const loaded = await loadCredit({ module, keys, accounts, now }, request);
    say(`loaded        ${format(amount)}, balance ${format(loaded.balance)}`);
    return formatCardId(loaded.cardId);
  } finally {
    await channel.close();
  }
}
