import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { InputError, TollcastError } from '../../../apdu/errors.ts';
import { systemClock } from '../../clock/clock.ts';
import { type BatchEntry, BatchJournal } from '../../issuer/batch/batch-journal.ts';
import { type BatchCard, type BatchContext, runBatch } from '../../issuer/batch/run-batch.ts';
import { Accounts } from '../../issuer/cards/accounts.ts';
import { KeyStore } from '../../issuer/keys/key-store.ts';
import { syncDirectory, writePrivate } from '../../issuer/keys/private-directory.ts';
import { openCard } from '../../transport/card/card-address.ts';
import { print, printWaiting } from '../options/card-option.ts';
import { createStoreCommand, readInstalledKeys, type StoreOptions } from '../options/issuer-option.ts';
import { wholeNumber } from '../options/number-option.ts';
import { writeAsTyped } from '../terminal/command-name.ts';
import { addPassphraseOptions, askPassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';
import { now } from '../terminal/time.ts';
import { type BatchDefaults, readBatch } from './batch-file.ts';
import { addProfileOptions } from './issuer-personalise.ts';

interface BatchOptions extends StoreOptions, PassphraseOptions, BatchDefaults {
  readonly keys?: string;
  readonly letters?: string;
  readonly results?: string;
  readonly jobs: number;
  readonly json?: true;
}

/** ms between two looks at a reader whose card is to be changed. */
const LOOK = 500;

/** Adds `tollcast issuer batch`. */
export function addBatchCommand(issuer: Command): void {
  const command = addPassphraseOptions(
    createStoreCommand(issuer, 'batch', 'personalise and load many cards; repeated it goes on where it stopped'),
  )
    .argument(
      '<csv>',
      'a row for each card: a column "card" with its address, as after --card, and columns named like the options',
    )
    .option('--amount <amount>', 'what each card is loaded with, as in "10.00 USD"')
    .option('--soft-limit <amount>', 'the most that a soft module may hold unsettled (default: 10.00)')
    .option('--pin', 'give each card a random PIN')
    .option('--letters <directory>', 'write a letter with the PIN of each card to this directory')
    .option('--results <file>', 'what became of each row (default: the CSV with .results.csv after it)')
    .option('--jobs <n>', 'cards that are worked on at a time', wholeNumber(1, 64), 8)
    .option('--json', 'print one line of JSON');
  addProfileOptions(command).action(makeBatch);
}

async function makeBatch(path: string, options: BatchOptions): Promise<void> {
  const cards = await readBatch(path, options);
  const { letters } = options;
  if (letters === undefined && cards.some(({ withPin }) => withPin)) {
    throw new InputError('nobody would know the PINs; name a directory for the letters with them: --letters DIRECTORY');
  }
  if (letters !== undefined) await mkdir(letters, { recursive: true, mode: 0o700 });
  const installed = await readInstalledKeys(options);
  const results = options.results ?? `${path}.results.csv`;
  await using accounts = await Accounts.open(options.store);
  using journal = new BatchJournal(results);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt).once('SIGHUP', interrupt);
  const entries: BatchEntry[] = [];
  try {
    await runBatch(cards, {
      keys: new KeyStore(options.store, () => askPassphrase(options)),
      accounts,
      journal,
      installed,
      now,
      jobs: options.jobs,
      signal: stop.signal,
      open: makeOpener(cards, stop.signal),
      keepLetter: (card, pin) => keepLetter(letters!, card, pin),
      onEntry: (entry) => {
        entries.push(entry);
        process.stderr.write(`${entries.length}/${cards.length}  ${writeAsTyped(describeEntry(entry))}\n`);
      },
    });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', interrupt);
  }
  const done = entries.filter(({ state }) => state === 'done').length;
  if (options.json === true || done === cards.length) {
    const rows = entries.toSorted((a, b) => a.row - b.row);
    print(options, { results, done, cards: rows }, [`${done} of ${cards.length} cards are done; see ${results}`]);
  }
  if (done === cards.length) return;
  throw new TollcastError(
    'BATCH_INCOMPLETE',
    `${done} of ${cards.length} cards are done; ${results} says why the others are not: mend it, and type the same again`,
  );
}

function describeEntry({ row, address, card, state, message }: BatchEntry): string {
  return [
    `row ${row}`,
    address,
    ...(card === '' ? [] : [card]),
    state,
    ...(message === undefined ? [] : [message]),
  ].join('  ');
}

/** A reader that several rows name is looked at until the card in it was changed. */
function makeOpener(cards: readonly BatchCard[], signal: AbortSignal): BatchContext['open'] {
  const rows = Map.groupBy(cards, ({ address }) => address);
  return async ({ row, address }, isWanted) => {
    const isShared = (rows.get(address)?.length ?? 0) > 1;
    for (let isTold = false; ;) {
      const channel = await openCard(address, { create: true, wait: isShared, onWaiting: printWaiting, signal });
      if (!isShared) return channel;
      try {
        const answer = await new DecodeModule(channel).select();
        if (isWanted(answer)) return channel;
        if (!isTold) printWaiting(new Error(`card ${formatCardId(answer.cardId)} is done; insert that of row ${row}`));
        isTold = true;
      } catch (error) {
        await channel.close();
        throw error;
      }
      await channel.close();
      await systemClock.sleep(LOOK, signal);
    }
  };
}

/** Writes the letter of a card, in place of one that was written for the same card before it got its PIN. */
async function keepLetter(directory: string, card: string, pin: string): Promise<void> {
  const path = join(directory, `${card}.txt`);
  if (existsSync(path)) await rm(path);
  await writePrivate(
    path,
    `Card  ${card}\nPIN   ${pin}\n\nKeep this letter away from the card. To choose another PIN, type: tollcast card pin\n`,
  );
  await syncDirectory(directory);
}
