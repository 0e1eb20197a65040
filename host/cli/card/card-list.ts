import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError, FormatError, TransportError } from '../../../apdu/errors.ts';
import { StatusWordError } from '../../../apdu/iso7816/status-word.ts';
import { toHex } from '../../../apdu/octets.ts';
import { openCard } from '../../transport/card/card-address.ts';
import { pcscPlace } from '../../transport/card/card-place.ts';
import { nameLender } from '../../transport/card/lending/lent-card.ts';
import { listReaders, type ReaderInfo, waitForAnyCard } from '../../transport/card/pcsc/readers.ts';
import { print, printWaiting } from '../options/card-option.ts';

interface ListOptions {
  readonly wait?: true;
  readonly json?: true;
}

/** A reader, and the decode module that answered in it. */
interface ReaderReport {
  readonly reader: string;
  readonly state: ReaderInfo['state'];
  readonly atr: string;
  readonly module: { readonly card: string; readonly life: string; readonly version: number } | null;
  /** The program that has the card, where it lends it. */
  readonly usedBy?: string;
  /** Why the card could not be asked. */
  readonly problem?: string;
}

/** `tollcast card list` */
export async function listCards(options: ListOptions): Promise<void> {
  if (options.wait === true) await waitForAnyCard(printWaiting);
  const reports: ReaderReport[] = [];
  for (const reader of await listReaders()) reports.push(await inspectReader(reader));
  const lines = reports.length === 0 ? ['no card reader is connected; plug one in'] : reports.map(describeReader);
  print(options, { readers: reports }, lines);
}

/**
 * Asks a card that another program has open through that program, where it lends it, and else leaves it alone: a SELECT
 * would end what that program does.
 */
async function inspectReader({ name, state, atr }: ReaderInfo): Promise<ReaderReport> {
  const usedBy = state === 'in-use' ? await nameLender(pcscPlace(name)) : undefined;
  const report = { reader: name, state, atr: toHex(atr), module: null, ...(usedBy !== undefined && { usedBy }) };
  if (state !== 'card' && usedBy === undefined) return report;
  try {
    const channel = await openCard({ kind: 'pcsc', reader: name });
    try {
      const { cardId, life, version } = await new DecodeModule(channel).select();
      return { ...report, module: { card: formatCardId(cardId), life, version } };
    } finally {
      await channel.close();
    }
  } catch (error) {
    if (error instanceof StatusWordError || error instanceof FormatError) return report; // a card of another kind
    if (!(error instanceof TransportError || error instanceof CardGoneError)) throw error;
    return { ...report, state: error.code === 'PCSC_IN_USE' ? 'in-use' : state, problem: error.message };
  }
}

function describeReader({ reader, state, atr, module, usedBy, problem }: ReaderReport): string {
  if (state === 'empty') return `${reader}: no card`;
  const card = `${reader}: card ${atr}`;
  const use = usedBy === undefined ? '' : `, in use by ${usedBy}`;
  if (module !== null) return `${card}, decode module ${module.card}, ${module.life}${use}`;
  if (state === 'in-use') return `${card}, in use by another program`;
  if (state === 'mute') return `${card}, does not answer; insert it the other way round, or clean its contacts`;
  return `${card}, ${problem ?? 'not a decode module'}`;
}
