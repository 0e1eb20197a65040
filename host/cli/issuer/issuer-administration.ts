import type { Command } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { OutOfRangeError, TollcastError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import {
  makeCardPair,
  replaceKeys,
  setLife,
  setPin,
  setVerificationKey,
} from '../../issuer/cards/card-administration.ts';
import { readKeySet } from '../../issuer/keys/key-set-file.ts';
import { readPoint } from '../../issuer/keys/point-file.ts';
import { readVerificationKey } from '../../issuer/keys/verification-key-file.ts';
import { print } from '../options/card-option.ts';
import { administer, createChannelCommand, type ChannelOptions } from '../options/issuer-option.ts';
import { wholeNumber } from '../options/number-option.ts';
import { confirm } from '../terminal/ask.ts';
import { choosePin } from '../terminal/pin-entry.ts';
import { addLimitOptions, changeLimits } from './issuer-limits.ts';

/** Commands that change the life of a card. */
const LIVES = [
  ['block', 'blocked', 'stop a card; its purse can still be read, its receipts can be collected'],
  ['unblock', 'active', 'let a blocked card work again'],
  ['terminate', 'terminated', 'end a card for good; its purse can still be read'],
] as const;

/** Adds the commands of `tollcast issuer` that change a card through its secure channel. */
export function addAdministrationCommands(issuer: Command): void {
  for (const [name, life, description] of LIVES) {
    const command = createChannelCommand(issuer, name, description);
    if (life === 'terminated') command.option('--yes', 'do not ask');
    command.action((options: LifeOptions) => changeLife(options, life));
  }

  createChannelCommand(issuer, 'pin', 'give a card a new PIN with all its tries; it is typed or in TOLLCAST_PIN')
    .option('--pin-file <file>', 'the new PIN is in this file')
    .action(givePin);

  addLimitOptions(
    createChannelCommand(issuer, 'limits', 'change what the holder of a card may do; limits that are not named stay'),
  ).action(changeLimits);

  createChannelCommand(issuer, 'trust', 'change whose signatures the hosts of a card are to trust')
    .requiredOption('--place <n>', 'required: one of the four places, 0 to 3', wholeNumber(0, 3))
    .option('--trust <id=key>', 'Ed25519 public key, in hexadecimal or a file; replaces what is there')
    .option('--empty', 'empty the place')
    .action(changeTrust);

  createChannelCommand(issuer, 'pair', 'have a card make a key pair, so that a head-end needs no secret of it')
    .requiredOption('--head-end <file>', "required: the head-end's public key of P-256, in hexadecimal or a file")
    .action(makePair);

  createChannelCommand(issuer, 'keys', 'replace the key set of the secure channel')
    .option('--to <file>', 'new key set, in JSON (default: the one that this store has for the card)')
    .action(changeKeys);
}

interface LifeOptions extends ChannelOptions {
  readonly yes?: true;
}

async function changeLife(options: LifeOptions, life: (typeof LIVES)[number][1]): Promise<void> {
  if (life === 'terminated' && options.yes !== true && !(await confirm('end this card for good?'))) {
    throw new TollcastError('NOT_CONFIRMED', 'nothing was done; to end the card for good add --yes');
  }
  const cardId = await administer(options, (on) => setLife(on, life));
  print(options, { card: formatCardId(cardId), life }, [`card ${formatCardId(cardId)} is ${life}`]);
}

async function givePin(options: ChannelOptions & { readonly pinFile?: string }): Promise<void> {
  const pin = await choosePin(options.pinFile);
  const cardId = await administer(options, (on) => setPin(on, pin));
  print(options, { card: formatCardId(cardId) }, [`card ${formatCardId(cardId)} has a new PIN`]);
}

interface TrustOptions extends ChannelOptions {
  readonly place: number;
  readonly trust?: string;
  readonly empty?: true;
}

async function changeTrust(options: TrustOptions): Promise<void> {
  const { place, trust, empty } = options;
  if ((trust === undefined) === (empty === undefined)) {
    throw new OutOfRangeError('name either a key for the place, --trust ID=KEY, or --empty');
  }
  const key = trust === undefined ? undefined : await readVerificationKey(trust);
  const { cardId, keys } = await administer(options, (on) => setVerificationKey(on, place, key));
  const trusted = keys.map((one) => `${one.id} (${toHex(one.key)})`).join(', ');
  print(options, { card: formatCardId(cardId), trust: keys.map((one) => ({ id: one.id, key: toHex(one.key) })) }, [
    `card ${formatCardId(cardId)}: its hosts are to trust ${trusted === '' ? 'nobody' : trusted}`,
  ]);
}

async function makePair(options: ChannelOptions & { readonly headEnd: string }): Promise<void> {
  const headEnd = await readPoint(options.headEnd);
  const now = Math.floor(Date.now() / 1000);
  const { cardId, publicKey } = await administer(options, (on) => makeCardPair(on, headEnd, now));
  print(options, { card: formatCardId(cardId), publicKey: toHex(publicKey) }, [
    `card ${formatCardId(cardId)} has a key pair: ${toHex(publicKey)}`,
  ]);
}

async function changeKeys(options: ChannelOptions & { readonly to?: string }): Promise<void> {
  const next = options.to === undefined ? undefined : await readKeySet(options.to);
  const cardId = await administer(options, (on) => replaceKeys(on, next));
  const from = next === undefined ? 'those of this store' : `those in ${options.to}; keep that file`;
  print(options, { card: formatCardId(cardId) }, [
    `card ${formatCardId(cardId)}: the keys of its secure channel are ${from}`,
  ]);
}
