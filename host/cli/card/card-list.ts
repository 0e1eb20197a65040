import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError, FormatError, TransportError } from '../../../apdu/errors.ts';
import { StatusWordError } from '../../../apdu/iso7816/status-word.ts';
import { toHex } from '../../../apdu/octets.ts';
import { openPcscCard } from '../../transport/card/pcsc/pcsc-card.ts';
import { listReaders, type ReaderInfo, watchReaders } from '../../transport/card/pcsc/readers.ts';
import { print, sayWaiting } from '../options/card-option.ts';

interface ListOptions {
  readonly wait?: true;
  readonly json?: true;
}

/** A reader, and the decode module that answered in it. */
interface Seen {
  readonly reader: string;
  readonly state: ReaderInfo['state'];
  readonly atr: string;
  readonly module: { readonly card: string; readonly life: string; readonly version: number } | null;
  /** Why nothing is known of the module. */
  readonly problem?: string;
}

/** `tollcast card list` */
export async function listCards(options: ListOptions): Promise<void> {
  if (options.wait === true) await waitForCard();
  const seen: Seen[] = [];
  for (const reader of await listReaders()) seen.push(await look(reader));
  const lines = seen.length === 0 ? ['no card reader is connected; plug one in'] : seen.map(describe);
  print(options, { readers: seen }, lines);
}

async function waitForCard(): Promise<void> {
  const enough = new AbortController();
  for await (const event of watchReaders({ signal: enough.signal })) {
    if (event.type === 'inserted') return;
    if (event.type === 'service-lost') sayWaiting(event.error);
    else if (event.type === 'readers') {
      const where = event.readers.map(({ name }) => name).join(', ');
      const missing = where === '' ? 'no card reader is connected; plug one in' : `no card in ${where}; insert one`;
      if (event.readers.every(({ state }) => state === 'empty')) sayWaiting(new Error(missing));
    }
  }
}

/** A card that somebody else has open is left alone: a SELECT would end what they are doing. */
async function look({ name, state, atr }: ReaderInfo): Promise<Seen> {
  const seen = { reader: name, state, atr: toHex(atr), module: null };
  if (state !== 'card') return seen;
  try {
    const channel = await openPcscCard(name);
    try {
      const { cardId, life, version } = await new DecodeModule(channel).select();
      return { ...seen, module: { card: formatCardId(cardId), life, version } };
    } finally {
      await channel.close();
    }
  } catch (error) {
    if (error instanceof StatusWordError || error instanceof FormatError) return seen; // a card of another kind
    if (!(error instanceof TransportError || error instanceof CardGoneError)) throw error;
    return { ...seen, state: error.code === 'PCSC_IN_USE' ? 'in-use' : state, problem: error.message };
  }
}

function describe({ reader, state, atr, module, problem }: Seen): string {
  if (state === 'empty') return `${reader}: no card`;
  const card = `${reader}: card ${atr}`;
  if (module !== null) return `${card}, decode module ${module.card}, ${module.life}`;
  if (state === 'in-use') return `${card}, in use by another program`;
  if (state === 'mute') return `${card}, does not answer; insert it the other way round, or clean its contacts`;
  return `${card}, ${problem ?? 'not a decode module'}`;
}
